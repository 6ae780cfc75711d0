/**
 * Clips of what the log holds, as MP4.
 *
 * @module
 */
import type { Frame } from "../runtime/definition/frame.ts";
import type { Lane } from "../runtime/lanes.ts";
import { LogError, type PartitionReader } from "../runtime/log/log.ts";
import { maskSecrets } from "../runtime/base/mask.ts";
import { cameraText } from "./protocol.ts";
import type { History } from "./history.ts";

/** What goes into a clip. */
export interface ClipRequest {
  readonly lane: Lane;
  /** First and last offset, both included. */
  readonly from: number;
  readonly to: number;
  /** Aborts when the viewer stops. A stream without a reader is cancelled. */
  readonly signal: AbortSignal;
}

/** Makes an MP4 of frames that the log holds. */
export type ClipProvider = (
  request: ClipRequest,
) => Promise<Uint8Array | ReadableStream<Uint8Array>>;

/** Makes clips from a log's history, as they are downloaded: nothing piles up. */
export function clipsFrom(history: History, report: (message: string) => void): ClipProvider {
  return async ({ lane, from, to, signal }) => {
    // Loaded when the first clip is wanted: FFmpeg takes its time and memory.
    const { streamClip } = await import("../runtime/video/clip.ts");
    const chunks = streamClip(framesOf(history, lane, from, to, signal), {
      signal,
      report: (message) => report(maskSecrets(`Clip of ${cameraText(lane)}: ${message}`)),
    });
    return ReadableStream.from(chunks);
  };
}

async function* framesOf(
  history: History,
  lane: Lane,
  from: number,
  to: number,
  signal: AbortSignal,
): AsyncGenerator<Frame> {
  const reader = await history.open(lane, from);
  try {
    while (true) {
      const frames = await next(reader, signal, to);
      if (frames.length === 0) return;
      for (const frame of frames) {
        if (frame.offset > to) return;
        const shown = await history.picture(lane, frame);
        // An access unit that cannot be shown is left out.
        if (shown !== undefined) yield { ...frame, value: shown.bytes, headers: shown.headers };
      }
      if (reader.position > to) return;
    }
  } finally {
    await reader.close();
  }
}

/** The next frames; those that retention took while the clip was downloaded are left out. */
async function next(reader: PartitionReader, signal: AbortSignal, to: number): Promise<Frame[]> {
  while (true) {
    try {
      return await reader.read(8, signal, to + 1);
    } catch (error) {
      if (!(error instanceof LogError) || error.code !== "OFFSET_OUT_OF_RANGE") throw error;
      const earliest = error.range?.earliest ?? Infinity;
      if (earliest > to || earliest <= reader.position) return [];
      reader.seek(earliest);
    }
  }
}
