// Reused buffers for pictures. A fresh megabyte costs a page fault for every 4 KB that is written to
// it, which is dearer than decoding into it.

/** Smallest size class, bytes. */
const MIN_CLASS = 64 * 1024;

/**
 * Lends buffers and takes them back. It never refuses and never waits: what it bounds is the memory
 * that it keeps while unused.
 */
export class BufferPool {
  readonly #maxIdleBytes: number;
  readonly #free = new Map<number, Uint8Array<ArrayBuffer>[]>();
  #idleBytes = 0;

  /** @param options.maxIdleBytes most bytes to keep for later */
  constructor({ maxIdleBytes = 128 * 1024 * 1024 }: { readonly maxIdleBytes?: number } = {}) {
    if (!Number.isInteger(maxIdleBytes) || maxIdleBytes < 0) {
      throw new RangeError(
        `Cannot make a pool with maxIdleBytes ${maxIdleBytes}: expected a whole number from 0 up`,
      );
    }
    this.#maxIdleBytes = maxIdleBytes;
  }

  /** Bytes that lie ready for reuse. */
  get idleBytes(): number {
    return this.#idleBytes;
  }

  /**
   * A buffer of at least `size` bytes, holding whatever its last user left in it. The most recently
   * released one comes first: it is still in the processor's cache.
   */
  acquire(size: number): Uint8Array<ArrayBuffer> {
    const length = sizeClass(size);
    const buffer = this.#free.get(length)?.pop();
    if (buffer === undefined) return new Uint8Array(length);
    this.#idleBytes -= length;
    return buffer;
  }

  /** Takes back a buffer that `acquire` gave. Its user must not touch it again. */
  release(buffer: Uint8Array<ArrayBuffer>): void {
    const length = buffer.length;
    if (this.#idleBytes + length > this.#maxIdleBytes) return;
    const free = this.#free.get(length);
    if (free === undefined) this.#free.set(length, [buffer]);
    else free.push(buffer);
    this.#idleBytes += length;
  }
}

/** Eight classes an octave: at most an eighth of a buffer is unused. */
function sizeClass(size: number): number {
  if (size <= MIN_CLASS) return MIN_CLASS;
  const step = 2 ** (Math.ceil(Math.log2(size)) - 4);
  return Math.ceil(size / step) * step;
}

/** The pool of this thread. */
export const pool = new BufferPool();
