// Reads hand-written JSON field by field and collects all faults, to report them together.
/**
 * Parses JSON, and refuses an object with the same field twice: only the last would count.
 *
 * @throws {SyntaxError}
 */
function parseJson(text: string): unknown {
  const json = text.replace(/^\ufeff/, "");
  const counts = new Map<string, number>([["", 1]]);
  const count = (key: string, by: number) => counts.set(key, (counts.get(key) ?? 0) + by);
  const parsed: unknown = JSON.parse(json, function (this: unknown, key, value) {
    if (!Array.isArray(this)) count(key, -1);
    return value;
  });
  for (const [, key, colon] of json.matchAll(/("(?:[^"\\]|\\.)*")\s*(:?)/g)) {
    if (colon !== "") count(JSON.parse(key!), 1);
  }
  const twice = [...counts].filter(([, left]) => left > 0).map(([key]) => JSON.stringify(key));
  if (twice.length === 0) return parsed;
  throw new SyntaxError(`an object has ${twice.join(", ")} more than once`);
}

/**
 * Reads a JSON file.
 *
 * @param Refusal the error for a file that cannot be used
 * @throws {Refusal} saying why it cannot be read.
 */
export function readJson(
  path: string,
  Refusal: new (path: string, faults: readonly string[], options: ErrorOptions) => Error,
): unknown {
  try {
    return parseJson(Deno.readTextFileSync(path));
  } catch (cause) {
    const { message } = cause as Error;
    const fault = cause instanceof Deno.errors.NotFound
      ? "there is no such file"
      : cause instanceof SyntaxError
      ? `expected JSON: ${message}`
      : message;
    throw new Refusal(path, [fault], { cause });
  }
}

/** The class of errors of files of one kind: each names a file that cannot be used, with all its faults. */
export function faultsError(name: string, what: string) {
  return class extends Error {
    override readonly name = name;
    /** Each names the field, what is accepted and what was given. */
    readonly faults: readonly string[];

    constructor(path: string, given: readonly string[], options?: ErrorOptions) {
      const faults = [...new Set(given)];
      super(`Cannot use ${what} ${path}:\n${faults.map((one) => `  ${one}`).join("\n")}`, options);
      this.faults = faults;
    }
  };
}

/** Accepted numbers. */
export interface NumberRange {
  readonly min: number;
  readonly max: number;
  readonly whole?: boolean;
  /** The least value itself is not accepted. */
  readonly above?: boolean;
  /** Default; without one, a missing field is a fault. */
  readonly absent?: number;
}

/** The fields of one JSON object. */
export class Fields {
  /** All faults so far, of every object of the file. */
  readonly faults: string[];
  readonly given: Readonly<Record<string, unknown>>;
  readonly #path: string;
  /** It is not an object: missing fields are not reported too. */
  readonly #broken: boolean;

  /**
   * @param path where the object stands, empty for the file itself
   * @param names of the fields that are accepted
   * @param what the file is called in faults
   */
  constructor(
    json: unknown,
    names: readonly string[],
    { path = "", what = path, faults = [] }: { path?: string; what?: string; faults?: string[] } =
      {},
  ) {
    this.faults = faults;
    this.#path = path;
    this.#broken = json === null || typeof json !== "object" || Array.isArray(json);
    if (this.#broken) faults.push(`${what}: expected an object, given ${shown(json)}`);
    this.given = this.#broken ? {} : json as Record<string, unknown>;
    for (const name of Object.keys(this.given)) {
      if (names.includes(name)) continue;
      faults.push(`${brief(this.pathOf(name))}: unknown field, accepted are ${names.join(", ")}`);
    }
  }

  /** Where a field stands. */
  pathOf(name: string): string {
    return this.#path === "" ? name : `${this.#path}.${name}`;
  }

  /** Notes a fault: field, accepted, given. */
  add(name: string, accepted: string, given: unknown = this.given[name]): void {
    if (this.#broken) return;
    this.faults.push(`${this.pathOf(name)}: expected ${accepted}, given ${shown(given)}`);
  }

  /** An object in a field. */
  object(name: string, names: readonly string[], json: unknown = this.given[name]): Fields {
    return new Fields(json, names, { path: this.pathOf(name), faults: this.faults });
  }

  text(name: string, value: unknown = this.given[name]): string {
    if (typeof value === "string" && value !== "") return value;
    this.add(name, "a text that is not empty", value);
    return "";
  }

  /** Those of some texts that are there, to be spread. */
  texts<const K extends string>(...names: readonly K[]): { readonly [key in K]?: string } {
    const there = names.filter((name) => this.given[name] !== undefined);
    return Object.fromEntries(there.map((name) => [name, this.text(name)])) as {
      readonly [key in K]?: string;
    };
  }

  /** One of some words; `absent` is the default, without which a missing field is a fault. */
  word<const W extends string>(
    name: string,
    words: readonly W[],
    absent?: W,
    value: unknown = this.given[name],
  ): W {
    if (value === undefined && absent !== undefined) return absent;
    if (words.includes(value as W)) return value as W;
    this.add(name, `one of ${words.join(", ")}`, value);
    return words[0]!;
  }

  number(name: string, { min, max, whole = false, above = false, absent }: NumberRange): number {
    const value = this.given[name];
    if (value === undefined && absent !== undefined) return absent;
    const fits = typeof value === "number" && (above ? value > min : value >= min) &&
      value <= max && (!whole || Number.isInteger(value));
    if (fits) return value;
    const kind = whole ? "a whole number" : "a number";
    this.add(name, `${kind} ${above ? "above" : "from"} ${min} to ${max}`, value);
    return absent ?? max;
  }

  /** True or false; false by default. */
  flag(name: string): boolean {
    const value = this.given[name];
    if (value === undefined || typeof value === "boolean") return value ?? false;
    this.add(name, "true or false");
    return false;
  }

  /** A list of one entry at least; each is read with its place as the name of its field. */
  list<T>(name: string, read: (place: string, item: unknown) => T): T[] {
    const value = this.given[name];
    if (Array.isArray(value) && value.length > 0) {
      return value.map((item, i) => read(`${name}[${i}]`, item));
    }
    this.add(name, "a list with at least one entry");
    return [];
  }

  /** A list of objects with these fields; left out and empty, it holds none. */
  objects<T>(name: string, names: readonly string[], read: (fields: Fields) => T): T[] {
    if ([undefined, "[]"].includes(JSON.stringify(this.given[name]))) return [];
    return this.list(name, (place, item) => read(this.object(place, names, item)));
  }

  /** Notes what occurs more than once. */
  unique(name: string, values: readonly string[]): void {
    const doubled = values.filter((value, i) => value !== "" && values.indexOf(value) < i);
    if (doubled.length === 0) return;
    const again = [...new Set(doubled)].join(", ");
    this.faults.push(`${this.pathOf(name)}: expected different names, given "${again}" twice`);
  }
}

function shown(value: unknown): string {
  if (value === undefined) return "nothing";
  return brief(JSON.stringify(value) ?? String(value));
}

function brief(text: string): string {
  return text.length > 60 ? `${text.slice(0, 57)}…` : text;
}
