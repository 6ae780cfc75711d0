// Clips: a stretch of frames as one MP4, for the episodes of alerts and for download.
import { loadPart } from "../base/part.ts";
import { BadFrameError, type Frame } from "../definition/frame.ts";
import type { H264Encoding } from "./h264_encoding.ts";
import { mp4 } from "./mp4.ts";
import { concatenated } from "../base/bytes.ts";
import type { Prepared } from "./encoding.ts";
import { type Piece, Recorder } from "./recorder.ts";

/** How to make a clip. */
export interface ClipOptions {
  /** Ends the work and discards its output. */
  readonly signal?: AbortSignal;
  /** Frames that are skipped (damaged, of another size than the first), and where video ends, are reported here. */
  readonly report?: (message: string) => void;
}

/** Frames in memory or as they come. */
export type Frames = Iterable<Frame> | AsyncIterable<Frame>;

/**
 * Makes a clip of frames in the order given, each shown from its capture time to the next one's. It is
 * made while they come in: the chunks, one after the other, are a fragmented MP4 that can be played from
 * the first one on.
 *
 * @example
 * ```ts
 * import type { Frame } from "../definition/frame.ts";
 * import { streamClip } from "./clip.ts";
 *
 * function download(frames: AsyncIterable<Frame>): Response {
 *   return new Response(ReadableStream.from(streamClip(frames)), {
 *     headers: { "content-type": "video/mp4" },
 *   });
 * }
 * ```
 */
export async function* streamClip(
  frames: Frames,
  options: ClipOptions = {},
): AsyncGenerator<Uint8Array, void, undefined> {
  // FFmpeg is loaded when the first clip is made.
  const { H264Encoding } = await loadPart("video", () => import("./h264_encoding.ts"));
  const encoding = new H264Encoding();
  const recorder = new Recorder({ container: mp4, encoding, nameOf: () => "clip" });
  try {
    for await (const piece of record(frames, recorder, encoding, options)) yield* bytesOf(piece);
  } finally {
    encoding[Symbol.dispose]();
  }
}

async function* record(
  frames: Frames,
  recorder: Recorder,
  encoding: H264Encoding,
  { signal, report = () => {} }: ClipOptions,
): AsyncGenerator<Piece, void, undefined> {
  let begun = false;
  for await (const frame of frames) {
    signal?.throwIfAborted();
    const picture = await pictureOf(frame, encoding, report);
    if (picture === undefined) continue;
    try {
      const track = recorder.progress.mark?.track;
      const { width, height } = picture;
      if (track !== undefined && (track.width !== width || track.height !== height)) {
        report(
          `Not in the clip: offset ${frame.offset} of ${width}x${height} pixels, ` +
            `expected ${track.width}x${track.height}`,
        );
        // Later access units depend on this one.
        if (picture.joins !== undefined) return;
        continue;
      }
      await recorder.add(picture, frame.timestamp, frame.offset);
    } finally {
      picture.release();
    }
    const pieces = recorder.take();
    const another = pieces.findIndex((piece) => piece.kind === "begin" && begun);
    begun = true;
    if (another < 0) yield* pieces;
    else return report(`The clip ends at offset ${frame.offset}: the video's parameters change`);
  }
}

function bytesOf(piece: Piece): readonly Uint8Array[] {
  if (piece.kind === "begin") return [piece.header];
  // One chunk a picture: what sends them pays for each.
  return piece.kind === "append" ? [concatenated(piece.bytes)] : [];
}

async function pictureOf(
  frame: Frame,
  encoding: H264Encoding,
  report: (message: string) => void,
): Promise<Prepared | undefined> {
  try {
    return await encoding.prepare(frame.value);
  } catch (error) {
    if (!(error instanceof BadFrameError)) throw error;
    report(`Not in the clip: offset ${frame.offset}: ${error.message}`);
    return undefined;
  }
}
