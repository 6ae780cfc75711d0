// Scores clips with a model.
import { CaptureTimes } from "../../cameras/capture_times.ts";
import { makeSource } from "../../cameras/open.ts";
import { isInvalid, scoreOf } from "../../queries/operators/condition.ts";
import { model } from "../../queries/operators/model/mod.ts";
import { systemClock } from "../../runtime/base/clock.ts";
import {
  BadFrameError,
  type Finding,
  type Frame,
  type OperatorTask,
  type Window,
} from "../../runtime/mod.ts";
import type { LabelledClip } from "./clips.ts";

export interface ScorePoint {
  /** When the score is available: the window's last capture time, milliseconds from the start. */
  readonly timestamp: number;
  readonly score: number;
}

export interface ScoredClip extends LabelledClip {
  readonly points: readonly ScorePoint[];
  readonly frames: number;
  /** Frames that could not be decoded, or whose outputs could not be read. */
  readonly badFrames: number;
  readonly durationMs: number;
}

/**
 * Runs a model over a clip, frame by frame as a query would.
 *
 * @param label whose score counts; for windows with per-frame scores only, the highest of them
 * @param fps frame rate of image folders, which have no times
 * @param report takes messages about files that are skipped, and the error of the first bad frame
 */
export async function scoreClip(
  clip: LabelledClip,
  manifest: string,
  label: string,
  fps: number,
  signal: AbortSignal,
  report: (message: string) => void,
): Promise<ScoredClip> {
  const task = await model(manifest).open({
    query: "evaluate",
    topic: "clips",
    partition: 0,
    clock: systemClock,
    signal,
  });
  const points: ScorePoint[] = [];
  let offset = 0, badFrames = 0, first = 0, last = 0;
  try {
    const source = await makeSource(clip.path, { loop: false, quality: 95 });
    const context = {
      camera: "CAMERA-1",
      clock: systemClock,
      times: new CaptureTimes(systemClock),
      signal,
      report,
    };
    for await (const { value, timestamp } of source.open(context)) {
      signal.throwIfAborted();
      const time = source.kind === "collection" ? offset * 1000 / fps : timestamp;
      if (offset === 0) first = time;
      last = time - first;
      const frame = frameOf(value, offset++, last);
      const failure = await take(task, frame, label, points);
      if (failure !== undefined && badFrames++ === 0) report(`${clip.path}: ${failure}`);
    }
  } finally {
    await task.close?.();
  }
  const durationMs = offset < 2 ? last : last * offset / (offset - 1);
  return { ...clip, points, frames: offset, badFrames, durationMs };
}

function frameOf(value: Uint8Array, offset: number, timestamp: number): Frame {
  return { topic: "clips", partition: 0, offset, timestamp, key: null, headers: {}, value };
}

async function take(
  task: OperatorTask<Frame | Window, Finding>,
  frame: Frame,
  label: string,
  points: ScorePoint[],
): Promise<string | undefined> {
  try {
    for (const { timestamp, result } of await task.process(frame)) {
      if (isInvalid(result, label)) continue;
      // A detector that finds nothing names no label.
      points.push({ timestamp, score: scoreOf(result, label) ?? 0 });
    }
    return undefined;
  } catch (error) {
    if (!(error instanceof BadFrameError)) throw error;
    return error.message;
  }
}
