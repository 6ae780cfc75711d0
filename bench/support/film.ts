// One stream of 1080p at about 4 Mbit/s, as a camera sends it, and the same pictures as JPEGs.
import { accessUnits } from "../../tests/support/access_units.ts";
import type { Frame } from "../../runtime/definition/frame.ts";
import { asImage } from "../../runtime/image/picture.ts";
import { GroupTracker } from "../../runtime/video/groups.ts";
import { print } from "../print.ts";

/** Frames a second of the stream. */
export const FILM_FPS = 25;

/** Six seconds of access units, a keyframe every two. */
export function film(): Promise<Uint8Array[]> {
  return accessUnits({
    frames: 6 * FILM_FPS,
    gop: 2 * FILM_FPS,
    width: 1920,
    height: 1080,
    parameters: "bitrate=4000:vbv-maxrate=4000:vbv-bufsize=4000",
  });
}

/** The units as the frames of a lane, on memory of their own and linked to their groups. */
export function linked(units: readonly Uint8Array[], fps = FILM_FPS) {
  const tracker = new GroupTracker(print, { here: true });
  const frames = units.map((value, offset): Frame => ({
    topic: "film",
    partition: 0,
    offset,
    timestamp: Math.round(offset * 1000 / fps),
    key: null,
    headers: { "content-type": "video/h264" },
    value: value.slice(),
  }));
  for (const frame of frames) tracker.take(frame);
  return { frames, close: () => tracker.close() };
}

/** The first pictures of the film as JPEGs. */
export async function filmJpegs(
  units: readonly Uint8Array[],
  count: number,
): Promise<Uint8Array[]> {
  const { frames, close } = linked(units);
  const jpegs: Uint8Array[] = [];
  for (const frame of frames.slice(0, count)) jpegs.push((await asImage(frame)).value);
  await close();
  return jpegs;
}
