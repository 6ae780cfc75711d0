// What options and fields of files accept: each has a row that says it. Given values in messages, and defaults.
import { shortened } from "./errors.ts";
import { maskSecrets } from "./mask.ts";

/** What an option or a field accepts. */
export interface OptionRow {
  /** Completes the sentence "expected …". */
  readonly accepted: string;
  /** Whether a value is accepted. May throw an error that describes the fault. */
  readonly takes: (value: unknown) => unknown;
}

/** What each of some options accepts. */
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

/** A switch. */
export const FLAG: OptionRow = {
  accepted: "true or false",
  takes: (value) => typeof value === "boolean",
};

export const FUNCTION: OptionRow = {
  accepted: "a function",
  takes: (value) => typeof value === "function",
};

/** @throws {TypeError} if it is not a function */
export function checkFunction(action: string, given: unknown): void {
  if (FUNCTION.takes(given)) return;
  throw new TypeError(`Cannot ${action} with ${shown(given)}: expected ${FUNCTION.accepted}`);
}

/** A number in a range. */
export function range({ min, max, whole: isWhole = false, above = false }: NumberRange): OptionRow {
  const [least, most, endless] = above ? ["above", ", at most ", ""] : ["from", " to ", " up"];
  const end = max >= Number.MAX_SAFE_INTEGER ? endless : most + max;
  return {
    accepted: `a ${isWhole ? "whole " : ""}number ${least} ${min}${end}`,
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

/** One of some words. */
export function oneOf(...words: readonly string[]): OptionRow {
  return {
    accepted: [words.slice(0, -1).join(", "), ...words.slice(-1)].filter(Boolean).join(" or "),
    takes: (value) => words.includes(value as string),
  };
}

/**
 * The value, if the row takes it.
 *
 * @param or what else is accepted, such as `off or `
 * @throws {Error} saying what is accepted
 */
export function taken<T>(value: T, { accepted, takes }: OptionRow, or = ""): T {
  if (takes(value)) return value;
  throw new Error(`expected ${or}${accepted}`);
}

/** A parser of numbers that the row takes. */
export const number = (row: OptionRow, or?: string) => (text: string): number =>
  taken(text.trim() === "" ? NaN : Number(text), row, or);

/** An option validated by its parser, whose error describes the fault. */
export function readBy(parse: (value: never) => unknown): OptionRow {
  return { accepted: "", takes: (value) => (parse(value as never), true) };
}

/** Numbers that are accepted; `above`: more than `min`, not `min` itself. */
export interface NumberRange {
  readonly min: number;
  readonly max: number;
  readonly whole?: boolean;
  readonly above?: boolean;
}

/** A fault for each of these parameters of a URL that occurs twice: one value would be ignored. */
export function repeated(parameters: URLSearchParams, names: readonly string[]): string[] {
  return names.filter((name) => parameters.getAll(name).length > 1)
    .map((name) => `${name} was given more than once`);
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
