// Small JPEGs of large ones, for a thread that does nothing else: the decoder reduces them while it
// decodes, and nothing is done twice or handed to another thread.
import type { Denominator } from "./decode.ts";
import { pool } from "./pool.ts";
import { compressHere, decompressHere, hasLibrary } from "./turbojpeg.ts";

export { yieldToOthers } from "./turbojpeg.ts";

/** True where `reduceJpeg` can be used. */
export const canReduce = hasLibrary;

/** What is known of a JPEG that is to be reduced. */
export interface JpegSize {
  /** Pixels. */
  readonly width: number;
  readonly height: number;
  readonly components: 1 | 3;
}

/**
 * A JPEG at 1/2, 1/4 or 1/8 of its size, rounded up: grey as grey, colour with halved chroma
 * (4:2:0), without metadata. Blocks this thread.
 *
 * @param quality 1 to 100
 * @returns the JPEG on a buffer of exactly its size; undefined where libjpeg finds anything wrong.
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
