// Recorded frames as MP4: clips, and a camera's live video. Access units are copied; images are encoded.
import { BadFrameError, type Frame } from "../runtime/definition/frame.ts";
import type { Lane } from "../runtime/lanes.ts";
import { maskSecrets } from "../runtime/base/mask.ts";
import { GroupTracker } from "../runtime/video/groups.ts";
import { cameraText } from "./protocol.ts";
import type { History } from "./history.ts";
import { nextFrames } from "./log_reads.ts";

export interface ClipRequest {
  readonly lane: Lane;
  /** First and last offset, inclusive. A clip of access units begins at the preceding keyframe. */
  readonly from: number;
  /** `Infinity` continues with live frames, and skips frames that a slow reader cannot keep up with. */
  readonly to: number;
  /** Lag in frames after which a slow reader skips to the newest keyframe. Default 400. */
  readonly maxBehind?: number;
  /** Ends it. */
  readonly signal: AbortSignal;
}

const BATCH = 8;

/**
 * Makes a clip from a log's history while it is downloaded, without buffering. One without an end is the
 * camera's live video: its access units, independent of any query.
 */
export async function* clipOf(
  history: History,
  request: ClipRequest,
  report: (message: string) => void = () => {},
): AsyncGenerator<Uint8Array, void, undefined> {
  const { lane, to, signal } = request;
  // Loaded for the first clip: FFmpeg takes time and memory.
  const { streamClip } = await import("../runtime/video/clip.ts");
  yield* streamClip((to === Infinity ? unitsOf : framesOf)(history, request), {
    signal,
    report: (message) => report(maskSecrets(`Clip of ${cameraText(lane)}: ${message}`)),
  });
}

async function* framesOf(history: History, request: ClipRequest): AsyncGenerator<Frame> {
  const { lane, from } = request;
  const first = await history.source(lane, from);
  if (first === undefined) return;
  if (await history.showsSource(lane, first)) {
    const keyframe = await history.units.keyframeBefore(first);
    yield* unitsOf(history, { ...request, from: keyframe ?? from });
    return;
  }
  for await (const frame of read(history, request)) {
    const shown = await history.picture(lane, frame);
    // Skip access units that cannot be shown.
    if (shown !== undefined) yield { ...frame, value: shown.bytes, headers: shown.headers };
  }
}

/**
 * A lane's original frames, with access units registered in their groups. Skips units that depend on a
 * keyframe before `from`, and damaged units with those that depend on them.
 */
export async function* unitsOf(history: History, request: ClipRequest): AsyncGenerator<Frame> {
  const tracker = new GroupTracker(() => {});
  try {
    for await (const frame of read(history, request, () => tracker.interrupt())) {
      try {
        if (tracker.take(frame) !== "no-keyframe") yield frame;
      } catch (error) {
        if (!(error instanceof BadFrameError)) throw error;
      }
    }
  } finally {
    await tracker.close();
  }
}

/** The frames from `from` to `to`; calls `onSkip` where frames are skipped, such as those removed by retention. */
async function* read(
  history: History,
  { lane, from, to, signal, maxBehind = 400 }: ClipRequest,
  onSkip: () => void = () => {},
): AsyncGenerator<Frame> {
  const reader = await history.open(lane, from);
  try {
    while (reader.position <= to) {
      const frames = await nextFrames(reader, BATCH, { signal, end: to + 1, onSkip });
      if (frames.length === 0) return;
      for (const frame of frames) {
        if (frame.offset > to) return;
        yield frame;
      }
      if (to === Infinity && reader.latest - reader.position > maxBehind) {
        const newest = await history.newest(lane);
        const keyframe = newest && await history.units.keyframeBefore(newest);
        if (keyframe !== undefined && keyframe > reader.position) {
          reader.seek(keyframe);
          onSkip();
        }
      }
    }
  } finally {
    await reader.close();
  }
}
