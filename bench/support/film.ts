// One stream of 1080p at about 4 Mbit/s, as a camera sends it, and the same pictures as JPEGs.
import { fileURLToPath } from "node:url";
import { makeSource } from "../../cameras/open.ts";
import type { Frame } from "../../runtime/definition/frame.ts";
import { asImage } from "../../runtime/image/picture.ts";
import { GroupTracker } from "../../runtime/video/groups.ts";
import { take } from "../../tests/cameras/kit.ts";
import { print } from "../print.ts";

/** Frames a second of the stream. */
export const FILM_FPS = 25;

const CLIP = fileURLToPath(new URL("../../clips/bigbuckbunny.mp4", import.meta.url));

/** Six seconds of access units of a real film, a keyframe every two: patterns decode in a third of the time. */
export async function film(): Promise<Uint8Array[]> {
  const path = await Deno.makeTempFile({ suffix: ".mp4" });
  const text = `-v error -y -stream_loop -1 -i ${CLIP} -t 6 -an -vf scale=1920:1080 -g 50 -bf 0 ` +
    `-c:v libx264 -preset veryfast -sc_threshold 0 -b:v 4M -maxrate 4M -bufsize 4M ${path}`;
  const { success, stderr } = await new Deno.Command("ffmpeg", { args: text.split(" ") }).output();
  if (!success) throw new Error(`Cannot make a film: ${new TextDecoder().decode(stderr)}`);
  const units = (await take(makeSource(path, { codec: "copy" }))).map(({ value }) => value);
  await Deno.remove(path);
  return units;
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
