/**
 * Writing lines to standard output and standard error.
 *
 * @module
 */

/** A stream that lines are written to. */
export interface LineStream {
  writeSync(bytes: Uint8Array): number;
}

const encoder = new TextEncoder();

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
