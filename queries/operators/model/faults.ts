/**
 * Faults of a file that a person wrote, collected to report all at once.
 *
 * @module
 */

/** Reads fields of a JSON object, and notes what is wrong with them. */
export class Faults {
  readonly list: string[] = [];
  /** Fields that should be objects: what is missing in them is no further fault. */
  readonly #broken: string[] = [];

  /** Notes a fault: field, accepted, given. */
  add(field: string, accepted: string, given: unknown): void {
    if (this.#broken.some((broken) => field.startsWith(broken))) return;
    this.list.push(`${field}: expected ${accepted}, given ${shown(given)}`);
  }

  /** Notes something that is wrong between fields. */
  say(fault: string): void {
    this.list.push(fault);
  }

  /** A JSON object with no other fields than these. */
  object(
    field: string,
    value: unknown,
    fields: readonly string[],
  ): Readonly<Record<string, unknown>> {
    if (value === null || typeof value !== "object" || Array.isArray(value)) {
      this.add(field, "an object", value);
      this.#broken.push(`${field}.`);
      return {};
    }
    for (const name of Object.keys(value)) {
      if (fields.includes(name)) continue;
      const path = field === "" || field === "model.json" ? name : `${field}.${name}`;
      this.say(`${path}: unknown field, accepted are ${fields.join(", ")}`);
    }
    return value as Record<string, unknown>;
  }

  text(field: string, value: unknown): string {
    if (typeof value === "string" && value !== "") return value;
    this.add(field, "a text that is not empty", value);
    return "";
  }

  /** A text that may be left out, as the only property of an object that can be spread. */
  optionalText<const K extends string>(field: K, value: unknown): { readonly [key in K]?: string } {
    if (value === undefined) return {};
    return { [field]: this.text(field, value) } as { readonly [key in K]?: string };
  }

  /** One of some words; `absent` where it is left out, which is a fault without one. */
  word<const W extends string>(
    field: string,
    value: unknown,
    words: readonly W[],
    absent?: W,
  ): W {
    if (value === undefined && absent !== undefined) return absent;
    if (words.includes(value as W)) return value as W;
    this.add(field, `one of ${words.join(", ")}`, value);
    return words[0]!;
  }

  number(
    field: string,
    value: unknown,
    { min, max, whole = false, above = false, absent }: {
      min: number;
      max: number;
      whole?: boolean;
      /** The least value itself is not accepted. */
      above?: boolean;
      absent?: number;
    },
  ): number {
    if (value === undefined && absent !== undefined) return absent;
    const fits = typeof value === "number" && (above ? value > min : value >= min) &&
      value <= max && (!whole || Number.isInteger(value));
    if (fits) return value;
    const kind = whole ? "a whole number" : "a number";
    this.add(field, `${kind} ${above ? "above" : "from"} ${min} to ${max}`, value);
    return absent ?? max;
  }

  /** True or false; false where it is left out. */
  flag(field: string, value: unknown): boolean {
    if (value === undefined || typeof value === "boolean") return value ?? false;
    this.add(field, "true or false", value);
    return false;
  }

  entries<T>(field: string, value: unknown, read: (field: string, item: unknown) => T): T[] {
    if (!Array.isArray(value) || value.length === 0) {
      this.add(field, "a list with at least one entry", value);
      return [];
    }
    return value.map((item, i) => read(`${field}[${i}]`, item));
  }

  /** Notes what occurs more than once. */
  unique(field: string, values: readonly string[]): void {
    const doubled = values.filter((value, i) => value !== "" && values.indexOf(value) < i);
    if (doubled.length > 0) {
      this.say(`${field}: expected each once, given ${[...new Set(doubled)].join(", ")} again`);
    }
  }
}

function shown(value: unknown): string {
  if (value === undefined) return "nothing";
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 60 ? `${text.slice(0, 57)}…` : text;
}
