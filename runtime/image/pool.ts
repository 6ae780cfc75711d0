// Reused buffers for pictures. A new megabyte costs a page fault per 4 KB written, which is more expensive
// than decoding into it.

/** Smallest size class, bytes. */
const MIN_CLASS = 64 * 1024;

/** Lends buffers. It never refuses and never waits; only the memory of idle buffers is bounded. */
export class BufferPool {
  readonly #maxIdleBytes: number;
  readonly #free = new Map<number, Uint8Array<ArrayBuffer>[]>();
  #idleBytes = 0;

  /** @param options.maxIdleBytes most bytes kept for reuse */
  constructor({ maxIdleBytes = 128 * 1024 * 1024 }: { readonly maxIdleBytes?: number } = {}) {
    this.#maxIdleBytes = maxIdleBytes;
  }

  /** Bytes available for reuse. */
  get idleBytes(): number {
    return this.#idleBytes;
  }

  /**
   * A buffer of at least `size` bytes with undefined content. The last released buffer is reused first, since
   * it is still in the processor's cache.
   */
  acquire(size: number): Uint8Array<ArrayBuffer> {
    const length = sizeClass(size);
    const buffer = this.#free.get(length)?.pop();
    if (buffer === undefined) return new Uint8Array(length);
    this.#idleBytes -= length;
    return buffer;
  }

  /** Returns a buffer to the pool. The caller must not use it any more. */
  release(buffer: Uint8Array<ArrayBuffer>): void {
    const length = buffer.length;
    if (this.#idleBytes + length > this.#maxIdleBytes) return;
    const free = this.#free.get(length);
    if (free === undefined) this.#free.set(length, [buffer]);
    else free.push(buffer);
    this.#idleBytes += length;
  }
}

/** Eight size classes per octave: at most an eighth of a buffer is unused. */
function sizeClass(size: number): number {
  if (size <= MIN_CLASS) return MIN_CLASS;
  const step = 2 ** (Math.ceil(Math.log2(size)) - 4);
  return Math.ceil(size / step) * step;
}

/** This thread's pool. */
export const pool = new BufferPool();
