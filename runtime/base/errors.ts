// Describes anything that was thrown: `null`, a number, an error whose getters throw. None
// of these functions throws.

const UNPRINTABLE = "something that cannot be printed was thrown";

/** Longest message and stack, in characters: an error may quote a whole tensor. */
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

/** The text, or its beginning where it is longer than `most` characters. */
export function shortened(text: string, most = MOST_TEXT): string {
  return text.length <= most ? text : `${text.slice(0, most)}…`;
}

/** The error's name, or the type of the value. */
export function nameOf(thrown: unknown): string {
  const name = read(thrown, "name");
  return typeof name === "string" ? shortened(name, 100) : typeof thrown;
}

/** Whether a value is of this class; false where asking throws, as of a revoked proxy. */
export function isA<T>(value: unknown, type: abstract new (...args: never[]) => T): value is T {
  try {
    return value instanceof type;
  } catch {
    return false;
  }
}

/**
 * The code of an error or of what caused it: another system's, which may heal. A fetch that fails and a
 * time that is over have none of their own.
 */
export function codeOf(thrown: unknown): string | undefined {
  for (let error = thrown, depth = 0; depth < 8; error = read(error, "cause"), depth++) {
    const code = read(error, "code");
    if (typeof code === "string") return code;
  }
  if (read(thrown, "message") === "fetch failed") return "FETCH_FAILED";
  return nameOf(thrown) === "TimeoutError" ? "TIMED_OUT" : undefined;
}

/** The stack of an error; undefined when it has none. */
export function stackOf(thrown: unknown): string | undefined {
  const stack = read(thrown, "stack");
  return typeof stack === "string" ? shortened(stack) : undefined;
}

/** A property of a value; undefined when it has none, or reading it throws. */
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
  /** Path from the project's folder where the file lies in it, else the whole path or URL. */
  readonly file: string;
  /** From 1. */
  readonly line: number;
  readonly column: number;
}

/** The place in brackets, to follow a message; nothing where it is not known. */
export function placeText(place: Place | undefined): string {
  return place === undefined ? "" : ` (${place.file}:${place.line}:${place.column})`;
}

const ROOT = new URL("../../", import.meta.url).href;
const RUNTIME = new URL("../", import.meta.url).href;

/**
 * Where an error comes from: the innermost line of its stack that belongs neither to the runtime nor to
 * a package. Undefined when there is none.
 */
export function placeOf(thrown: unknown): Place | undefined {
  for (const line of (stackOf(thrown) ?? "").split("\n")) {
    const [, url, row, column] = /((?:file|https?|data):[^\s()]*?):(\d+):(\d+)\)?$/.exec(line) ??
      [];
    if (url === undefined || url.startsWith(RUNTIME) || url.includes("/node_modules/")) continue;
    return { file: pathOf(url), line: Number(row), column: Number(column) };
  }
}

function pathOf(url: string): string {
  const path = url.startsWith(ROOT) ? url.slice(ROOT.length) : url.replace(/^file:\/\//, "");
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}
