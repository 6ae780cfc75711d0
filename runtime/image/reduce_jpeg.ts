// Reduces JPEGs on a dedicated thread: the decoder scales while decoding, and no other thread is involved.
import { pool } from "./pool.ts";
import type { Denominator } from "./raw.ts";
import { compressHere, decompressHere, hasLibrary } from "./turbojpeg.ts";

export { yieldToOthers } from "./turbojpeg.ts";

/** Whether `reduceJpeg` is available. */
export const canReduce = hasLibrary;

/** Properties of a JPEG to reduce. */
export interface JpegSize {
  readonly width: number;
  readonly height: number;
  readonly components: 1 | 3;
}

/**
 * A JPEG at 1/2, 1/4 or 1/8 of its size, rounded up: grey as grey, colour with 4:2:0 chroma subsampling,
 * without metadata. Blocks this thread.
 *
 * @param quality 1 to 100
 * @returns the JPEG in a buffer of exactly its size; undefined if libjpeg reports any fault
 *
 * @example
 * ```ts
 * import { inspectImage } from "./inspect.ts";
 * import { reduceJpeg } from "./reduce_jpeg.ts";
 *
 * const bytes = Deno.readFileSync("frame.jpg");
 * const { width, height } = inspectImage(bytes);
 * const small = reduceJpeg(bytes, { width, height, components: 3 }, 4, 72);
 * if (small !== undefined) Deno.writeFileSync("small.jpg", small);
 * ```
 */
export function reduceJpeg(
  bytes: Uint8Array<ArrayBuffer>,
  size: JpegSize,
  denominator: Exclude<Denominator, 1>,
  quality: number,
): Uint8Array<ArrayBuffer> | undefined {
  const width = Math.ceil(size.width / denominator);
  const height = Math.ceil(size.height / denominator);
  const channels = size.components;
  const data = pool.acquire(width * height * channels);
  try {
    const image = { data, width, height, channels };
    if (decompressHere(bytes, image, denominator) !== undefined) return undefined;
    return compressHere(image, quality);
  } finally {
    pool.release(data);
  }
}
