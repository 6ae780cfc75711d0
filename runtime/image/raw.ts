// A decoded picture.
import { pool } from "./pool.ts";

/** Grey, RGB or RGBA. */
export type Channels = 1 | 3 | 4;

/** A decoded picture: rows from the top, pixels from the left, samples interleaved, 0 to 255. */
export interface RawImage {
  /** `width * height * channels` samples, valid until `release`. */
  readonly data: Uint8Array;
  /** Pixels. */
  readonly width: number;
  readonly height: number;
  readonly channels: Channels;
  /** Gives the memory back for reuse: `data` must not be touched afterwards. Once is enough. */
  release(): void;
}

/** A picture in pooled memory, whose samples are still whatever was there. */
export class PooledImage implements RawImage {
  readonly data: Uint8Array<ArrayBuffer>;
  readonly width: number;
  readonly height: number;
  readonly channels: Channels;
  #memory: Uint8Array<ArrayBuffer> | undefined;

  constructor(width: number, height: number, channels: Channels) {
    const size = width * height * channels;
    this.width = width;
    this.height = height;
    this.channels = channels;
    this.#memory = pool.acquire(size);
    this.data = this.#memory.subarray(0, size);
  }

  release(): void {
    if (this.#memory === undefined) return;
    pool.release(this.#memory);
    this.#memory = undefined;
  }
}
