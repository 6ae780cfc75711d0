// libvips, loaded when the first picture needs it: most topics hold nothing but JPEG.
import type Sharp from "sharp";
import { loadPart } from "../base/part.ts";

let sharp: Promise<typeof Sharp> | undefined;

/** @throws {Error} where it is not installed. */
export function loadSharp(): Promise<typeof Sharp> {
  sharp ??= loadPart("images", () => import("sharp")).then(({ default: loaded }) => {
    // No picture comes twice, so there is nothing to gain from a cache.
    loaded.cache(false);
    return loaded;
  });
  return sharp;
}
