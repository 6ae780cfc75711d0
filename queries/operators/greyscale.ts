// Converts frames to greyscale.
import { checkOptions, type Frame, type Operator, pictureOf, range } from "../../runtime/mod.ts";
import { greyJpegOf } from "../../runtime/image/mod.ts";
import { withPicture } from "./picture.ts";

/** Options of `greyscale`. */
export interface GreyscaleOptions {
  /** JPEG quality, 1 to 100. By default the luma of JPEGs is copied, others use 80. */
  readonly quality?: number;
}

/**
 * Turns each frame into a grey JPEG of the same size, from its luma as stored. A JPEG that is
 * already grey is decoded, to detect damage, and passes unchanged. Keeps the EXIF orientation.
 *
 * @throws {RangeError} if the quality is not a whole number from 1 to 100.
 *
 * @example
 * ```ts
 * import { greyscale } from "./greyscale.ts";
 *
 * const operator = greyscale({ quality: 70 });
 * console.log(operator.name);
 * ```
 */
export function greyscale(options: GreyscaleOptions = {}): Operator<Frame, Frame> {
  const row = range({ min: 1, max: 100, whole: true });
  checkOptions("use options of greyscale", options, { quality: row });
  const { quality } = options;
  return {
    name: quality === undefined ? "greyscale" : `greyscale(quality=${quality})`,
    // Codecs run on other threads; three frames at once keep two cores busy.
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
