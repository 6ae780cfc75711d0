// Loads libvips when the first picture needs it: most topics hold only JPEG.
import type Sharp from "sharp";
import { loadPart } from "../base/part.ts";

let sharp: Promise<typeof Sharp> | undefined;

/** @throws {Error} if it is not installed */
export function loadSharp(): Promise<typeof Sharp> {
  sharp ??= loadPart("images", () => import("sharp")).then(({ default: loaded }) => {
    // Each picture is unique, so a cache is useless.
    loaded.cache(false);
    return loaded;
  });
  return sharp;
}
