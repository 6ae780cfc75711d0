// Validates options: each option has a row that says what it accepts, and all faults are reported together.
import { messageOf, read, shortened } from "./errors.ts";
import { maskSecrets } from "./mask.ts";

export interface OptionRow {
  /** Completes the sentence "expected …". */
  readonly accepted: string;
  /** Whether a value is accepted. May throw an error that describes the fault. */
  readonly takes: (value: unknown) => unknown;
}

export type OptionRows<Options> = Readonly<Record<keyof Options & string, OptionRow>>;

export const TEXT: OptionRow = {
  accepted: "text",
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

/** An option validated by its parser, whose error describes the fault. */
export function readBy(parse: (value: never) => unknown): OptionRow {
  return { accepted: "", takes: (value) => (parse(value as never), true) };
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
  if (typeof given !== "object" || given === null || Array.isArray(given)) {
    return [`expected an object with ${Object.keys(rows).join(", ")}, given ${shown(given)}`];
  }
  const missing = required.filter((name) => read(given, name) === undefined)
    .map((name) => `${name}: expected ${rows[name]!.accepted}`);
  const wrong = Object.entries(given).flatMap(([name, value]) => {
    const row = Object.hasOwn(rows, name) ? rows[name] : undefined;
    if (row === undefined) {
      return [`${brief(name)}: unknown; expected ${Object.keys(rows).join(", ")}`];
    }
    if (value === undefined) return [];
    try {
      return row.takes(value) ? [] : [`${name}: expected ${row.accepted}, given ${shown(value)}`];
    } catch (error) {
      return [messageOf(error)];
    }
  });
  return [...missing, ...wrong];
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
