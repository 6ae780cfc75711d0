// Writes to standard output and standard error.
import { writeAll } from "../runtime/base/bytes.ts";

interface TextStream {
  writeSync(bytes: Uint8Array): number;
}

export interface PipeStream extends TextStream {
  write(bytes: Uint8Array): Promise<number>;
  isTerminal(): boolean;
}

/** Bytes that wait for a reader before lines are dropped. */
const MOST_WAITING = 1 << 20;
const encoder = new TextEncoder();

/** Writes a whole text at once, unless the reader has closed the pipe, as `head` does. */
export function write(stream: TextStream, text: string): void {
  let rest = encoder.encode(text);
  try {
    while (rest.length > 0) rest = rest.subarray(stream.writeSync(rest));
  } catch (error) {
    if (!(error instanceof Deno.errors.BrokenPipe)) throw error;
  }
}

/** `1 frame`, `2 frames`. */
export function counted(count: number, one: string, more = `${one}s`): string {
  return `${count} ${count === 1 ? one : more}`;
}

/** `write` with the end of a line. */
export function writeLine(stream: TextStream, line: string): void {
  write(stream, `${line}\n`);
}

/**
 * The lines of a command, in order. A reader that pauses, as `less` does, holds up neither queries nor Ctrl-C: the
 * lines wait. A terminal gets them at once, since progress bars are drawn there too.
 */
export class Output {
  readonly #out: PipeStream;
  readonly #err: PipeStream;
  readonly #onFailure: (error: unknown) => void;
  #waiting = 0;
  #written = Promise.resolve();

  /** @param onFailure called when standard output cannot be written: its reader has gone, or the disk is full */
  constructor(
    onFailure: (error: unknown) => void,
    { out = Deno.stdout, err = Deno.stderr }: { out?: PipeStream; err?: PipeStream } = {},
  ) {
    this.#out = out;
    this.#err = err;
    this.#onFailure = onFailure;
  }

  /**
   * Writes a line to standard output. While too much waits, progress is dropped, since newer progress follows, and
   * so are the errors of queries that restart.
   */
  print(line: string): void {
    this.#write(this.#out, line, /^\{"type":"(?:progress|error)"/.test(line), this.#onFailure);
  }

  /** Writes a message to standard error; it is dropped while too much waits. */
  say(line: string): void {
    this.#write(this.#err, line, true, () => {});
  }

  /** Resolves when all lines are written, also those that came meanwhile. */
  async flush(): Promise<void> {
    while (this.#waiting > 0) await this.#written;
  }

  #write(stream: PipeStream, line: string, isLive: boolean, onFailure: (error: unknown) => void) {
    if (stream.isTerminal()) return writeLine(stream, line);
    if (isLive && this.#waiting > MOST_WAITING) return;
    const bytes = encoder.encode(`${line}\n`);
    this.#waiting += bytes.length;
    this.#written = this.#written.then(() => writeAll(stream, bytes)).catch(onFailure)
      .finally(() => this.#waiting -= bytes.length);
  }
}
