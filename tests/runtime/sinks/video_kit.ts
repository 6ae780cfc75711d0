/** Helpers of the tests of the video sink. */
import type { Frame } from "../../../runtime/definition/frame.ts";
import type { SinkContext } from "../../../runtime/definition/sink.ts";
// Loaded before the tests, which would take the library for a leak.
import { video, type VideoOptions } from "../../../runtime/sinks/video.ts";
import "../../../runtime/video/h264_encoding.ts";
import { sinkContext } from "../../contracts/sink_contract_kit.ts";
import { filmed } from "./filmed.ts";

export async function withDirectory(work: (directory: string) => Promise<void>): Promise<void> {
  const directory = await Deno.makeTempDir();
  try {
    await work(directory);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

/** Writes and commits frames in one batch; the task is still open. */
export async function written(
  options: VideoOptions,
  frames: readonly Frame[],
  context: Partial<SinkContext> = {},
) {
  const task = await video(options).open(sinkContext(context));
  const batch = { batchId: 0, start: 0, end: frames.at(-1)!.offset + 1 };
  await task.write!(frames, batch);
  await task.flush!(batch);
  await task.committed!(batch);
  return task;
}

/** Frames in a row. */
export function range(count: number, from = 0): Frame[] {
  return Array.from({ length: count }, (_, i) => filmed(0, from + i));
}
