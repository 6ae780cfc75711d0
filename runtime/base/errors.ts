// Describes any thrown value: `null`, a number, an error whose getters throw. None of these functions throws.

const UNPRINTABLE = "something that cannot be printed was thrown";

/** Longest message or stack, in characters: an error may quote a whole tensor. */
const MOST_TEXT = 8000;

/** The message of an error, or the value itself as text. */
export function messageOf(thrown: unknown): string {
  const message = read(thrown, "message");
  if (typeof message === "string") return shortened(message);
  try {
    return shortened(`${String(thrown)} was thrown`);
  } catch {
    return UNPRINTABLE;
  }
}

/** The text, cut after `most` characters. */
export function shortened(text: string, most = MOST_TEXT): string {
  return text.length <= most ? text : `${text.slice(0, most)}…`;
}

/** The error's name, or the type of the value. */
export function nameOf(thrown: unknown): string {
  const name = read(thrown, "name");
  return typeof name === "string" ? shortened(name, 100) : typeof thrown;
}

/** `instanceof` that returns false where the check itself throws, as for a revoked proxy. */
export function isA<T>(value: unknown, type: abstract new (...args: never[]) => T): value is T {
  try {
    return value instanceof type;
  } catch {
    return false;
  }
}

/**
 * The code of an error or of its cause, which marks a fault of another system that may heal. A failed fetch
 * and a timeout have no code of their own and get one here.
 */
export function codeOf(thrown: unknown): string | undefined {
  for (let error = thrown, depth = 0; depth < 8; error = read(error, "cause"), depth++) {
    const code = read(error, "code");
    if (typeof code === "string") return code;
  }
  if (read(thrown, "message") === "fetch failed") return "FETCH_FAILED";
  return nameOf(thrown) === "TimeoutError" ? "TIMED_OUT" : undefined;
}

/** The stack of an error; undefined if it has none. */
export function stackOf(thrown: unknown): string | undefined {
  const stack = read(thrown, "stack");
  return typeof stack === "string" ? shortened(stack) : undefined;
}

/** A property of a value; undefined if it is missing or its getter throws. */
export function read(value: unknown, property: string): unknown {
  if (value === null || value === undefined) return undefined;
  try {
    return (value as Record<string, unknown>)[property];
  } catch {
    return undefined;
  }
}

/** A line of source code. */
export interface Place {
  /** Path relative to the project's folder for files inside it; otherwise the full path or URL. */
  readonly file: string;
  /** From 1. */
  readonly line: number;
  readonly column: number;
}

/** The place in brackets, to append to a message; empty if unknown. */
export function placeText(place: Place | undefined): string {
  return place === undefined ? "" : ` (${place.file}:${place.line}:${place.column})`;
}

/** Texts of a disk that takes no more bytes: it is full, on any system, or the quota is used up. */
export const DISK_FULL = /ENOSPC|no space left|os error 28|not enough space on the disk/i;
export const QUOTA_USED = /EDQUOT|quota exceeded/i;

/** As people read it. Stacks encode the URLs of modules on the main thread, and do not in workers. */
function decoded(url: string): string {
  try {
    return decodeURIComponent(url);
  } catch {
    return url;
  }
}

const ROOT = decoded(new URL("../../", import.meta.url).href);
const RUNTIME = decoded(new URL("../", import.meta.url).href);

/**
 * Where an error comes from: the innermost line of its stack outside the runtime and its packages. Undefined
 * if there is none.
 */
export function placeOf(thrown: unknown): Place | undefined {
  for (const line of (stackOf(thrown) ?? "").split("\n")) {
    const [, given, row, column] =
      /^ +at (?!.*\beval at ).*?((?:file|https?|data):.*):(\d+):(\d+)\)?$/.exec(line) ?? [];
    if (given === undefined) continue;
    const url = decoded(given);
    if (url.startsWith(RUNTIME) || url.includes("/node_modules/")) continue;
    return { file: pathOf(given), line: Number(row), column: Number(column) };
  }
}

/** The path of a module's URL, as in `Place.file`. */
export function pathOf(url: string): string {
  const path = decoded(url);
  return path.startsWith(ROOT) ? path.slice(ROOT.length) : path.replace(/^file:\/\//, "");
}
