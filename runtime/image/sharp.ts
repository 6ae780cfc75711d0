// Loads libvips when the first picture needs it: most topics hold only JPEG.
import type { Sharp, SharpOptions } from "sharp";
import { loadPart } from "../base/part.ts";
import { DEFAULT_MAX_PIXELS } from "./inspect.ts";
import { withoutTexts } from "./png.ts";

/** Opens an image, within the limits of all images and without what only costs time to inflate. */
type OpenImage = (bytes: Uint8Array, options?: SharpOptions) => Sharp;

let opening: Promise<OpenImage> | undefined;

/** @throws {Error} if it is not installed */
export function loadSharp(): Promise<OpenImage> {
  opening ??= loadPart("images", () => import("sharp")).then(({ default: sharp }) => {
    // Each picture is unique, so a cache is useless.
    sharp.cache(false);
    return (bytes, options) =>
      sharp(withoutTexts(bytes), { limitInputPixels: DEFAULT_MAX_PIXELS, ...options });
  });
  return opening;
}
