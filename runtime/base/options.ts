// Checking options: each has a row that says what it takes; all faults are found and reported together.
import { messageOf, read } from "./errors.ts";

export interface OptionRow {
  /** In words, after "expected". */
  readonly accepted: string;
  /** Whether a value is one of these. May throw what is wrong with it. */
  readonly takes: (value: unknown) => unknown;
}

export type OptionRows<Options> = Readonly<Record<keyof Options & string, OptionRow>>;

export const TEXT: OptionRow = {
  accepted: "text",
  takes: (value) => typeof value === "string" && value !== "",
};

/** The name of a topic, as Kafka takes it. */
export const TOPIC: OptionRow = {
  accepted: "1 to 249 letters, digits, dots, underscores or hyphens, not . or .. alone",
  takes: (value) => /^(?!\.{1,2}$)[a-zA-Z0-9._-]{1,249}$/.test(String(value)),
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

export function whole(from: number, to = Number.MAX_SAFE_INTEGER): OptionRow {
  return {
    accepted: `a whole number from ${from} ${to === Number.MAX_SAFE_INTEGER ? "up" : `to ${to}`}`,
    takes: (value) => Number.isSafeInteger(value) && Number(value) >= from && Number(value) <= to,
  };
}

export const ABOVE_ZERO: OptionRow = {
  accepted: "a number above 0",
  takes: (value) => Number.isFinite(value) && Number(value) > 0,
};

/** A finite number, 0 or more. */
export const FROM_ZERO: OptionRow = {
  accepted: "a number from 0 up",
  takes: (value) => Number.isFinite(value) && Number(value) >= 0,
};

export function oneOf(...words: readonly string[]): OptionRow {
  return {
    accepted: [words.slice(0, -1).join(", "), ...words.slice(-1)].filter(Boolean).join(" or "),
    takes: (value) => words.includes(value as string),
  };
}

/** What reads a value and throws what is wrong with it. */
export function readBy(parse: (value: never) => unknown): OptionRow {
  return { accepted: "", takes: (value) => (parse(value as never), true) };
}

/**
 * All that is wrong with options: values that their rows do not take, unknown names, and what is
 * required and was not given. What is undefined was not given.
 */
export function optionFaults(
  given: unknown,
  rows: Readonly<Record<string, OptionRow>>,
  required: readonly string[] = [],
): string[] {
  if (typeof given !== "object" || given === null || Array.isArray(given)) {
    return [`expected an object with ${Object.keys(rows).join(", ")}, given ${shown(given)}`];
  }
  const missing = required.filter((name) => read(given, name) === undefined)
    .map((name) => `${name}: expected ${rows[name]!.accepted}`);
  const wrong = Object.entries(given).flatMap(([name, value]) => {
    const row = Object.hasOwn(rows, name) ? rows[name] : undefined;
    if (row === undefined) return [`${name}: unknown; expected ${Object.keys(rows).join(", ")}`];
    if (value === undefined) return [];
    try {
      return row.takes(value) ? [] : [`${name}: expected ${row.accepted}, given ${shown(value)}`];
    } catch (error) {
      return [messageOf(error)];
    }
  });
  return [...missing, ...wrong];
}

/** @throws {RangeError} with all that is wrong with options: `Cannot ACTION: …`. */
export function checkOptions<Options extends object>(
  action: string,
  given: Options,
  rows: OptionRows<Required<Options>>,
): void {
  const faults = optionFaults(given, rows);
  if (faults.length > 0) throw new RangeError(`Cannot ${action}: ${faults.join("; ")}`);
}

/** The fields that are not undefined. */
export function given<T extends object>(fields: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  const entries = Object.entries(fields).filter(([, value]) => value !== undefined);
  return Object.fromEntries(entries) as { [K in keyof T]?: Exclude<T[K], undefined> };
}

/** Options with their defaults; what is undefined was not given. */
export function withDefaults<Options extends object>(
  defaults: Options,
  given: Partial<Options>,
): Options {
  const all = Object.entries(given).filter(([, value]) => value !== undefined);
  return { ...defaults, ...Object.fromEntries(all) };
}

export function shown(value: unknown): string {
  try {
    if (typeof value === "number" || typeof value === "function") {
      return String(value).slice(0, 100);
    }
    return JSON.stringify(value) ?? String(value);
  } catch {
    return typeof value;
  }
}
