// Validates options, and objects that a person wrote: all faults are reported together.
import { messageOf, read } from "./errors.ts";
import { nearest } from "./nearest.ts";
import {
  brief,
  FLAG,
  type NumberRange,
  oneOf,
  type OptionRow,
  type OptionRows,
  range,
  shown,
  TEXT,
} from "./options.ts";

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

/**
 * Reads an object that a person wrote, field by field, and collects all faults, to report them together. After
 * a fault a reader returns something of the right type, so that reading goes on.
 *
 * @example
 * ```ts
 * import { Fields, faultText } from "./fields.ts";
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
    const [seen, again] = [new Set<string>(), new Set<string>()];
    for (const value of values) (seen.has(value) ? again : seen).add(value);
    again.delete("");
    if (again.size === 0) return;
    this.fault(name, `expected different names, given "${[...again].join(", ")}" twice`);
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

/**
 * Checks options.
 *
 * @throws {RangeError} with all faults in the options: `Cannot ACTION: …`
 */
export function checkOptions<Options extends object>(
  action: string,
  given: Options,
  rows: OptionRows<Required<Options>>,
  required: readonly string[] = [],
): void {
  const faults = optionFaults(given, rows, required);
  if (faults.length > 0) throw new RangeError(`Cannot ${action}: ${faults.join("; ")}`);
}
