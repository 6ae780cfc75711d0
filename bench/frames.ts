// Frames to measure with: a film that ships with Framelane, at a size and quality of choice.
import { fileURLToPath } from "node:url";
import { CaptureTimes } from "../cameras/capture_times.ts";
import { makeSource } from "../cameras/open.ts";
import { systemClock } from "../runtime/base/clock.ts";

export interface ClipOptions {
  readonly width?: number;
  readonly height?: number;
  readonly quality?: number;
  /** At most this many; the clip has 132. */
  readonly count?: number;
}

/** JPEGs of the clip in its order, 640×480 by default. */
export async function clipFrames(
  { width = 640, height = 480, quality = 90, count = 132 }: ClipOptions = {},
): Promise<Uint8Array[]> {
  const path = fileURLToPath(new URL("../clips/bigbuckbunny.mp4", import.meta.url));
  const frames: Uint8Array[] = [];
  for await (const { value } of framesOf(path, { size: { width, height }, quality })) {
    frames.push(value);
    if (frames.length === count) break;
  }
  return frames;
}

/** The frames of a film in its order. */
export async function* framesOf(path: string, options: Parameters<typeof makeSource>[1]) {
  yield* (await makeSource(path, options)).open({
    camera: "CAMERA-1",
    clock: systemClock,
    times: new CaptureTimes(systemClock),
    signal: new AbortController().signal,
    report: () => {},
  });
}
