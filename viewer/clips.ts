// Frames that the log holds as MP4: clips of the past, and a camera's video as it comes. Access units
// are handed on as they are; everything else is encoded.
import { BadFrameError, type Frame } from "../runtime/definition/frame.ts";
import type { Lane } from "../runtime/lanes.ts";
import { LogError, type PartitionReader } from "../runtime/log/log.ts";
import { maskSecrets } from "../runtime/base/mask.ts";
import { GroupTracker } from "../runtime/video/groups.ts";
import { cameraText } from "./protocol.ts";
import type { History } from "./history.ts";

/** What goes into a clip. */
export interface ClipRequest {
  readonly lane: Lane;
  /** First and last offset, both included. A clip of access units begins at the keyframe before. */
  readonly from: number;
  /** `Infinity` continues with frames as they come, and leaves out what a slow reader has no time for. */
  readonly to: number;
  /** Frames that a slow reader may be behind before it continues at the newest keyframe. Default 400. */
  readonly maxBehind?: number;
  /** Aborts when the viewer stops. A stream that is no longer wanted is cancelled. */
  readonly signal: AbortSignal;
}

/** Makes an MP4 of frames that the log holds. */
export type ClipProvider = (
  request: ClipRequest,
) => Promise<Uint8Array | ReadableStream<Uint8Array>>;

/** Frames that are read at a time. */
const BATCH = 8;

/** Makes clips from a log's history, as they are downloaded: nothing piles up. */
export function clipsFrom(history: History, report: (message: string) => void): ClipProvider {
  return (request) => mp4Of((each) => framesOf(history, each), request, report);
}

/** A camera's video from a keyframe on and as it comes: its access units, whatever its query makes of them. */
export function liveVideo(
  history: History,
  request: Omit<ClipRequest, "to">,
): Promise<ReadableStream<Uint8Array>> {
  return mp4Of((each) => unitsOf(history, each), { ...request, to: Infinity }, () => {});
}

async function mp4Of(
  frames: (request: ClipRequest) => AsyncIterable<Frame>,
  request: ClipRequest,
  report: (message: string) => void,
): Promise<ReadableStream<Uint8Array>> {
  // Loaded when the first clip is wanted: FFmpeg takes its time and memory.
  const { streamClip } = await import("../runtime/video/clip.ts");
  const cancelled = new AbortController();
  const signal = AbortSignal.any([request.signal, cancelled.signal]);
  const chunks = streamClip(frames({ ...request, signal }), {
    signal,
    report: (message) => report(maskSecrets(`Clip of ${cameraText(request.lane)}: ${message}`)),
  });
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      try {
        const { done, value } = await chunks.next();
        if (done !== true) controller.enqueue(value);
        else controller.close();
      } catch (error) {
        // What never ends by itself ends like this; a clip that is cut off must not look whole.
        if (!signal.aborted || request.to !== Infinity) throw error;
        if (!cancelled.signal.aborted) controller.close();
      }
    },
    async cancel(reason) {
      cancelled.abort(reason);
      await chunks.return();
    },
  }, { highWaterMark: 0 });
}

async function* framesOf(history: History, request: ClipRequest): AsyncGenerator<Frame> {
  const { lane, from } = request;
  const first = await history.source(lane, from);
  if (first === undefined) return;
  if (await history.showsSource(lane, first)) {
    const keyframe = await history.keyframeBefore(first);
    yield* unitsOf(history, { ...request, from: keyframe ?? from });
    return;
  }
  for await (const frame of read(history, request)) {
    const shown = await history.picture(lane, frame);
    // An access unit that cannot be shown is left out.
    if (shown !== undefined) yield { ...frame, value: shown.bytes, headers: shown.headers };
  }
}

/**
 * A lane's frames as they came, access units at their place in their group: those that depend on a
 * keyframe before `from` are left out, and so are damaged ones with what depends on them.
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

/** The frames from `from` to `to`; `onSkip` is called where frames are left out. */
async function* read(
  history: History,
  { lane, from, to, signal, maxBehind = 400 }: ClipRequest,
  onSkip: () => void = () => {},
): AsyncGenerator<Frame> {
  const reader = await history.open(lane, from);
  try {
    while (reader.position <= to) {
      const frames = await next(reader, signal, to, onSkip);
      if (frames.length === 0) return;
      for (const frame of frames) {
        if (frame.offset > to) return;
        yield frame;
      }
      if (to === Infinity && reader.latest - reader.position > maxBehind) {
        const keyframe = await history.newestKeyframe(lane);
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

/** The next frames; those that retention took meanwhile are left out. */
async function next(
  reader: PartitionReader,
  signal: AbortSignal,
  to: number,
  onSkip: () => void,
): Promise<Frame[]> {
  while (true) {
    try {
      return await reader.read(BATCH, signal, to === Infinity ? undefined : to + 1);
    } catch (error) {
      if (!(error instanceof LogError) || error.code !== "OFFSET_OUT_OF_RANGE") throw error;
      const earliest = error.range?.earliest ?? Infinity;
      if (earliest > to || earliest <= reader.position) return [];
      reader.seek(earliest);
      onSkip();
    }
  }
}
