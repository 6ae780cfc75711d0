// What the tests of video files share.
import { makeSource } from "../../cameras/open.ts";
import type { CameraSettings } from "../../cameras/settings.ts";
import { take } from "./kit.ts";

/** The images of a video file, the first `limit` of them. */
export const images = (path: string, settings: CameraSettings = {}, limit = Infinity) =>
  take(makeSource(path, settings), limit);

/** Where a run of bytes begins; -1: nowhere. */
export function indexOf(all: Uint8Array, part: Uint8Array): number {
  for (let at = all.indexOf(part[0]!); at >= 0; at = all.indexOf(part[0]!, at + 1)) {
    if (part.every((byte, i) => all[at + i] === byte)) return at;
  }
  return -1;
}
