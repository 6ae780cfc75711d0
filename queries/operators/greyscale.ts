/**
 * Frames without colour.
 *
 * @module
 */
import {
  checkQuality,
  decodeImage,
  type Frame,
  inspectImage,
  type Operator,
} from "../../runtime/mod.ts";
import { encodeLike, withPicture } from "./picture.ts";

/** How to make frames grey. */
export interface GreyscaleOptions {
  /** JPEG quality, 1 to 100; 80 unless given. */
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
export function greyscale({ quality = 80 }: GreyscaleOptions = {}): Operator<Frame, Frame> {
  checkQuality(quality);
  return {
    name: `greyscale(quality=${quality})`,
    // The codec works outside this thread, so a lone partition keeps two cores busy with three.
    concurrency: 3,
    open: () => ({
      async process(frame) {
        const info = inspectImage(frame.value);
        const grey = await decodeImage(frame.value, 1, info);
        try {
          const jpeg = info.type === "jpeg" && info.components === 1
            ? frame.value
            : await encodeLike(info, grey, quality);
          return [withPicture(frame, jpeg, info)];
        } finally {
          grey.release();
        }
      },
    }),
  };
}
