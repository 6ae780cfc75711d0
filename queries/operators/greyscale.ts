// Frames without colour.
import { type Frame, type Operator, pictureOf } from "../../runtime/mod.ts";
import { checkQuality, greyJpegOf } from "../../runtime/image/mod.ts";
import { withPicture } from "./picture.ts";

/** How to make frames grey. */
export interface GreyscaleOptions {
  /**
   * JPEG quality, 1 to 100, to encode the luma again with. Unless given, the luma of a colour JPEG is
   * kept as it is, without loss and in less time; other images are encoded with 80.
   */
  readonly quality?: number;
}

/**
 * Turns each frame into a grey JPEG of the same size: its luma, as stored. A JPEG that is grey
 * already is decoded, so that damage is found, and passes as it is. An EXIF orientation is kept.
 *
 * @throws {RangeError} when the quality is not a whole number from 1 to 100.
 *
 * @example
 * ```ts
 * import { greyscale } from "./greyscale.ts";
 *
 * const operator = greyscale({ quality: 70 });
 * console.log(operator.name);
 * ```
 */
export function greyscale({ quality }: GreyscaleOptions = {}): Operator<Frame, Frame> {
  if (quality !== undefined) checkQuality(quality);
  return {
    name: quality === undefined ? "greyscale" : `greyscale(quality=${quality})`,
    // A codec works outside this thread, so a lone partition keeps two cores busy with three.
    concurrency: 3,
    open: () => ({
      async process(frame) {
        const picture = await pictureOf(frame);
        try {
          return [withPicture(frame, await greyJpegOf(picture, quality), picture)];
        } finally {
          picture.release();
        }
      },
    }),
  };
}
