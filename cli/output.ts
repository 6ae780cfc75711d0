// Writes lines to standard output and standard error.

interface LineStream {
  writeSync(bytes: Uint8Array): number;
}

const encoder = new TextEncoder();

/** Control characters except tabs and line ends, and bidirectional marks. */
const CONTROL = new RegExp(
  String.raw`[\0-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]`,
  "g",
);

/** Escapes control characters, even in texts chosen by a camera or a label. JSON stays equivalent. */
export function printable(text: string): string {
  return text.replace(
    CONTROL,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

/**
 * Writes one complete line.
 *
 * @returns false if the reader has closed the pipe, as `head` does
 */
export function writeLine(stream: LineStream, line: string): boolean {
  let rest = encoder.encode(`${line}\n`);
  try {
    while (rest.length > 0) rest = rest.subarray(stream.writeSync(rest));
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.BrokenPipe) return false;
    throw error;
  }
}
