// Validates options, and fields of files: each has a row that says what it accepts, and all faults are reported
// together.
import { messageOf, read, shortened } from "./errors.ts";
import { maskSecrets } from "./mask.ts";

/** What an option or a field accepts. */
export interface OptionRow {
  /** Completes the sentence "expected …". */
  readonly accepted: string;
  /** Whether a value is accepted. May throw an error that describes the fault. */
  readonly takes: (value: unknown) => unknown;
}

export type OptionRows<Options> = Readonly<Record<keyof Options & string, OptionRow>>;

export const TEXT: OptionRow = {
  accepted: "text that is not empty",
  takes: (value) => typeof value === "string" && value !== "",
};

/** The name of a topic, by Kafka's rules. */
export const TOPIC: OptionRow = {
  accepted: "1 to 249 letters, digits, dots, underscores or hyphens, not . or .. alone",
  takes: (value) => typeof value === "string" && /^(?!\.{1,2}$)[a-zA-Z0-9._-]{1,249}$/.test(value),
};

export const FOLDER: OptionRow = { ...TEXT, accepted: "a folder" };

export const FLAG: OptionRow = {
  accepted: "true or false",
  takes: (value) => typeof value === "boolean",
};

export const FUNCTION: OptionRow = {
  accepted: "a function",
  takes: (value) => typeof value === "function",
};

function range({ min, max, whole: isWhole = false, above = false }: NumberRange): OptionRow {
  const most = max >= Number.MAX_SAFE_INTEGER ? above ? "" : " up" : ` to ${max}`;
  return {
    accepted: `a ${isWhole ? "whole " : ""}number ${above ? "above" : "from"} ${min}${most}`,
    takes: (value) =>
      (isWhole ? Number.isSafeInteger(value) : Number.isFinite(value)) &&
      (above ? Number(value) > min : Number(value) >= min) && Number(value) <= max,
  };
}

export function whole(min: number, max = Number.MAX_SAFE_INTEGER): OptionRow {
  return range({ min, max, whole: true });
}

export const ABOVE_ZERO = range({ min: 0, max: Infinity, above: true });

export const FROM_ZERO = range({ min: 0, max: Infinity });

export function oneOf(...words: readonly string[]): OptionRow {
  return {
    accepted: [words.slice(0, -1).join(", "), ...words.slice(-1)].filter(Boolean).join(" or "),
    takes: (value) => words.includes(value as string),
  };
}

/** An option validated by its parser, whose error describes the fault. */
export function readBy(parse: (value: never) => unknown): OptionRow {
  return { accepted: "", takes: (value) => (parse(value as never), true) };
}

/** What is wrong with a field. */
export interface Fault {
  /** `input[0].frames`; empty for the whole. */
  readonly path: string;
  /** What is accepted and what was given. */
  readonly message: string;
}

/** A fault in words. */
export function faultText({ path, message }: Fault): string {
  return path === "" ? message : `${path}: ${message}`;
}

/** Numbers that are accepted; `above`: more than `min`, not `min` itself. */
export interface NumberRange {
  readonly min: number;
  readonly max: number;
  readonly whole?: boolean;
  readonly above?: boolean;
}

/**
 * Reads an object that a person wrote, field by field, and collects all faults, to report them together. After
 * a fault a reader returns something of the right type, so that reading goes on.
 *
 * @example
 * ```ts
 * import { Fields, faultText } from "./options.ts";
 *
 * const fields = new Fields({ name: "", fps: 2000 }, ["name", "fps"]);
 * const camera = { name: fields.text("name"), fps: fields.number("fps", { min: 1, max: 1000 }) };
 * if (fields.faults.length > 0) throw new Error(fields.faults.map(faultText).join("; "));
 * ```
 */
export class Fields {
  /** All faults so far, of every object of the whole. */
  readonly faults: Fault[];
  readonly given: Readonly<Record<string, unknown>>;
  /** Empty for the whole. */
  readonly path: string;
  /** It is not an object: missing fields are not reported too. */
  readonly #broken: boolean;

  /**
   * @param names fields that are accepted
   * @param options `path` of the object, empty for the whole; `what` it is called if it is not an object
   */
  constructor(
    json: unknown,
    names: readonly string[],
    { path = "", what = path, faults = [] }: { path?: string; what?: string; faults?: Fault[] } =
      {},
  ) {
    this.faults = faults;
    this.path = path;
    this.#broken = json === null || typeof json !== "object" || Array.isArray(json);
    this.given = this.#broken ? {} : json as Record<string, unknown>;
    const accepted = names.join(", ");
    if (this.#broken) {
      const given = json === undefined && path !== "" ? "nothing" : shown(json);
      const message = `expected an object with ${accepted}, given ${given}`;
      faults.push({ path: what, message });
    }
    for (const name of Object.keys(this.given)) {
      if (names.includes(name)) continue;
      const close = nearest(name, names);
      const hint = close === undefined ? "" : `; did you mean ${close}?`;
      this.fault(brief(name), `unknown; expected ${accepted}${hint}`);
    }
  }

  /** The path of a field, or of an entry such as `outputs[0]`. */
  pathOf(name: string): string {
    return this.path === "" ? name : `${this.path}.${name}`;
  }

  /** Adds a fault in words of its own. */
  fault(name: string, message: string): void {
    this.faults.push({ path: this.pathOf(name), message });
  }

  /** Adds a fault: what is accepted, what was given. */
  add(name: string, accepted: string, value: unknown = this.given[name]): void {
    const given = value === undefined ? "nothing" : shown(value);
    if (!this.#broken) this.fault(name, `expected ${accepted}, given ${given}`);
  }

  /** Whether the row accepts the value; adds a fault otherwise. */
  takes(name: string, row: OptionRow, value: unknown = this.given[name]): boolean {
    try {
      if (row.takes(value)) return true;
      this.add(name, row.accepted, value);
    } catch (error) {
      this.faults.push({ path: "", message: messageOf(error) });
    }
    return false;
  }

  /** An object in it. */
  object(name: string, names: readonly string[], json: unknown = this.given[name]): Fields {
    return new Fields(json, names, { path: this.pathOf(name), faults: this.faults });
  }

  /** Text that is not empty. */
  text(name: string, value: unknown = this.given[name]): string {
    return this.takes(name, TEXT, value) ? value as string : "";
  }

  /** The given ones of some texts. */
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
    return this.takes(name, oneOf(...words), value) ? value as W : words[0]!;
  }

  /** A number; `absent` is the default, without which a missing field is a fault. */
  number(name: string, { absent, ...numbers }: NumberRange & { readonly absent?: number }): number {
    const value = this.given[name];
    if (value === undefined && absent !== undefined) return absent;
    return this.takes(name, range(numbers)) ? value as number : absent ?? numbers.max;
  }

  /** True or false; false by default. */
  flag(name: string): boolean {
    return this.given[name] !== undefined && this.takes(name, FLAG) && this.given[name] === true;
  }

  /** A list with at least one entry; `read` gets the path of each. */
  list<T>(name: string, read: (place: string, item: unknown) => T): T[] {
    const value = this.given[name];
    if (Array.isArray(value) && value.length > 0) {
      return value.map((item, i) => read(`${name}[${i}]`, item));
    }
    this.add(name, "a list with at least one entry");
    return [];
  }

  /** A list of objects with these fields; it may be absent or empty. */
  objects<T>(name: string, names: readonly string[], read: (fields: Fields) => T): T[] {
    if ([undefined, "[]"].includes(JSON.stringify(this.given[name]))) return [];
    return this.list(name, (place, item) => read(this.object(place, names, item)));
  }

  /** Adds a fault for values that occur twice. */
  unique(name: string, values: readonly string[]): void {
    const doubled = values.filter((value, i) => value !== "" && values.indexOf(value) < i);
    if (doubled.length === 0) return;
    const again = [...new Set(doubled)].join(", ");
    this.fault(name, `expected different names, given "${again}" twice`);
  }
}

/**
 * All faults in the options: values their rows reject, unknown names, and missing required options. An
 * undefined value counts as not given.
 */
export function optionFaults(
  given: unknown,
  rows: Readonly<Record<string, OptionRow>>,
  required: readonly string[] = [],
): string[] {
  const fields = new Fields(given, Object.keys(rows));
  for (const [name, row] of Object.entries(rows)) {
    const value = read(fields.given, name);
    if (value !== undefined) fields.takes(name, row, value);
    else if (required.includes(name)) fields.add(name, row.accepted, value);
  }
  return fields.faults.map(faultText);
}

/** @throws {RangeError} with all faults in the options: `Cannot ACTION: …` */
export function checkOptions<Options extends object>(
  action: string,
  given: Options,
  rows: OptionRows<Required<Options>>,
  required: readonly string[] = [],
): void {
  const faults = optionFaults(given, rows, required);
  if (faults.length > 0) throw new RangeError(`Cannot ${action}: ${faults.join("; ")}`);
}

/** The fields that are not undefined. */
export function given<T extends object>(fields: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  const entries = Object.entries(fields).filter(([, value]) => value !== undefined);
  return Object.fromEntries(entries) as { [K in keyof T]?: Exclude<T[K], undefined> };
}

/** Options with defaults in place of missing or undefined values. */
export function withDefaults<Options extends object>(
  defaults: Options,
  options: Partial<Options>,
): Options {
  return { ...defaults, ...given(options) };
}

/** Longest given value in a message, in characters. */
const MOST_SHOWN = 300;

/** A given value as text for a message, cut if it is long. */
export function shown(value: unknown): string {
  try {
    if (typeof value === "string") return JSON.stringify(brief(value));
    const plain = typeof value === "number" || typeof value === "function";
    return brief(plain ? String(value) : JSON.stringify(value) ?? String(value));
  } catch {
    return typeof value;
  }
}

/** The text, cut if it is long. Secrets are masked first: the rest of one that is cut is not found. */
export function brief(text: string): string {
  return text.length <= MOST_SHOWN ? text : shortened(maskSecrets(text), MOST_SHOWN);
}

/** The most similar of `names`: at most two edits away, or one for a short name. */
export function nearest(name: string, names: readonly string[]): string | undefined {
  return [1, name.length < 4 ? 1 : 2].flatMap((letters) =>
    names.filter((candidate) => distance(name, candidate) <= letters)
  )[0];
}

function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const change = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(row[j]! + 1, next[j - 1]! + 1, change));
    }
    row = next;
  }
  return row[b.length]!;
}
