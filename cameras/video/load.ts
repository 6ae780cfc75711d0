// Loads FFmpeg when the first video is opened: patterns and folders do not need it.
import type { Buffer } from "node:buffer";
import { loadPart } from "../../runtime/base/part.ts";

/** @throws {Error} if it is not installed. */
export function loadVideo() {
  return loadPart("video", async () => {
    const [{ InputFormat }, { videoImages }, { VideoInput }] = await Promise.all([
      import("node-av"),
      import("./images.ts"),
      import("./input.ts"),
    ]);
    const formatIn = (beginning: Buffer, path: string) =>
      InputFormat.probe(beginning, path)?.name ?? undefined;
    return { formatIn, videoImages, VideoInput };
  });
}
