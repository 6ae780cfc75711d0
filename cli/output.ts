// Writing lines to standard output and standard error.

interface LineStream {
  writeSync(bytes: Uint8Array): number;
}

const encoder = new TextEncoder();

/** What steers a terminal, and what turns text around: C0 and C1 but for tabs and line ends; bidirectional marks. */
const STEERING = new RegExp(
  String.raw`[\0-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]`,
  "g",
);

/** Text that a terminal shows as it is, also where a camera or a label chose it. JSON stays the same JSON. */
export function printable(text: string): string {
  return text.replace(
    STEERING,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

/**
 * Writes one line whole.
 *
 * @returns false when the reader has gone away, as `head` does once it has seen enough.
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
