import { pool } from "./pool.ts";

/** Grey, RGB or RGBA. */
export type Channels = 1 | 3 | 4;

/** Factor by which a picture is reduced while decoding. */
export type Denominator = 1 | 2 | 4 | 8;

/** A decoded picture: rows from the top, pixels from the left, interleaved samples from 0 to 255. */
export interface RawImage {
  /** `width * height * channels` samples, valid until `release`. */
  readonly data: Uint8Array;
  readonly width: number;
  readonly height: number;
  readonly channels: Channels;
  /** Releases the memory for reuse: do not use `data` afterwards. Repeated calls have no effect. */
  release(): void;
}

/** A picture in pooled memory, with undefined initial samples. */
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
