// Writes to standard output and standard error.

interface TextStream {
  writeSync(bytes: Uint8Array): number;
}

const encoder = new TextEncoder();

/**
 * Writes a whole text.
 *
 * @returns false if the reader has closed the pipe, as `head` does
 */
export function write(stream: TextStream, text: string): boolean {
  let rest = encoder.encode(text);
  try {
    while (rest.length > 0) rest = rest.subarray(stream.writeSync(rest));
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.BrokenPipe) return false;
    throw error;
  }
}

/** `write` with the end of a line. */
export function writeLine(stream: TextStream, line: string): boolean {
  return write(stream, `${line}\n`);
}
