// Loads FFmpeg when the first video is opened: patterns and folders do not need it.
import { loadPart } from "../../runtime/base/part.ts";

/** @throws {Error} if it is not installed. */
export function loadVideo() {
  return loadPart("video", async () => ({
    ...await import("./images.ts"),
    ...await import("./input.ts"),
  }));
}
