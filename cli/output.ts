// Writes lines to standard output and standard error.

interface LineStream {
  writeSync(bytes: Uint8Array): number;
}

const encoder = new TextEncoder();

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
