// Buffers a stream of chunks, to be read in pieces of any length.
import { Buffer } from "node:buffer";

/** The bytes of an input that have arrived and were not read. Copies each chunk at once. */
export class ByteQueue {
  readonly #chunks: AsyncIterator<Uint8Array>;
  #buffer = new Uint8Array(64 * 1024);
  #start = 0;
  #end = 0;

  constructor(chunks: AsyncIterable<Uint8Array>) {
    this.#chunks = chunks[Symbol.asyncIterator]();
  }

  /** The buffered bytes, valid until the next call of another method. */
  get bytes(): Uint8Array {
    return this.#buffer.subarray(this.#start, this.#end);
  }

  /** Waits for more bytes; false at the end of the input. */
  async more(): Promise<boolean> {
    const { value, done } = await this.#chunks.next();
    if (done) return false;
    const used = this.#end - this.#start;
    if (this.#end + value.length > this.#buffer.length) {
      const space = used + value.length;
      const target = space <= this.#buffer.length
        ? this.#buffer
        : new Uint8Array(2 ** Math.ceil(Math.log2(space)));
      target.set(this.bytes);
      this.#buffer = target;
      this.#start = 0;
      this.#end = used;
    }
    this.#buffer.set(value, this.#end);
    this.#end += value.length;
    return true;
  }

  skip(length: number): void {
    this.#start += Math.min(length, this.#end - this.#start);
  }

  /** Removes and copies the first bytes, which must be buffered. */
  take(length: number): Uint8Array<ArrayBuffer> {
    const bytes = this.#buffer.slice(this.#start, this.#start + length);
    this.#start += length;
    return bytes;
  }

  /**
   * Reads a line of Latin-1, without its line break.
   *
   * @returns undefined if the input ends first, or no line ends within `most` bytes.
   */
  async line(most: number): Promise<string | undefined> {
    for (let from = 0;;) {
      const at = this.bytes.indexOf(10, from);
      if (at >= 0) {
        return Buffer.from(this.take(at + 1).buffer).toString("latin1").replace(/\r?\n$/, "");
      }
      from = this.#end - this.#start;
      if (from > most || !await this.more()) return undefined;
    }
  }

  async close(): Promise<void> {
    await this.#chunks.return?.();
  }
}
