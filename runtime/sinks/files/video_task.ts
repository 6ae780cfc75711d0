// The task of `video:DIR`, loaded with the first such sink.
import { loadPart } from "../../base/part.ts";
import { BadFrameError, isFinding, lastOffsetOf, type Output } from "../../definition/frame.ts";
import type { SinkContext, SinkTask } from "../../definition/sink.ts";
import type { BatchRange } from "../../log/log.ts";
import { avi } from "../../video/avi.ts";
import type { Encoding, Prepared } from "../../video/encoding.ts";
import type { H264Options } from "../../video/h264_options.ts";
import { mp4 } from "../../video/mp4.ts";
import { Recorder } from "../../video/recorder.ts";
import { reserve } from "./lane.ts";
import { VideoLane } from "./video_lane.ts";

interface TaskOptions extends Required<H264Options> {
  readonly format: "mp4" | "avi";
  readonly rollMs: number;
  readonly rollBytes: number;
  readonly groupMs: number;
}

export async function openVideo(
  root: string,
  { format, rollMs, rollBytes, groupMs, preset, crf }: TaskOptions,
  context: SinkContext,
): Promise<SinkTask> {
  const camera = await reserve(root, context);
  const encoding = await encodingOf(format, { preset, crf });
  const lane = await VideoLane.open(root, context);
  const rolled = rollMs !== Infinity || rollBytes !== Infinity;
  const recorder = new Recorder({
    container: format === "mp4" ? mp4 : avi,
    encoding,
    groupMs,
    rollMs,
    rollBytes,
    nameOf: (files, offset) =>
      files === 0 && !rolled ? camera : `${camera}.${String(offset).padStart(12, "0")}`,
  }, lane.progress);
  return new VideoTask({ lane, recorder, encoding, context });
}

async function encodingOf(format: "mp4" | "avi", options: H264Options): Promise<Encoding> {
  if (format === "avi") {
    const { JpegEncoding } = await loadPart("video", () => import("../../video/jpeg_encoding.ts"));
    return new JpegEncoding();
  }
  const { H264Encoding } = await loadPart("video", () => import("../../video/h264_encoding.ts"));
  return new H264Encoding(options);
}

interface Shot {
  readonly image: Uint8Array;
  readonly timestamp: number;
  readonly offset: number;
}

interface Parts {
  readonly lane: VideoLane;
  readonly recorder: Recorder;
  readonly encoding: Encoding;
  readonly context: SinkContext;
}

class VideoTask implements SinkTask {
  readonly #parts: Parts;
  /** True while the recorder is behind the files, and gets their last group again. */
  #rebuilding: boolean;
  #writing = false;
  #firstHeld: number | undefined;

  constructor(parts: Parts) {
    this.#parts = parts;
    const { lane, recorder } = parts;
    this.#rebuilding = lane.progress.mark !== undefined;
    if (this.#rebuilding) recorder.restore(lane.beforeGroup);
  }

  async refeed(outputs: readonly Output[]): Promise<void> {
    const shots = shotsOf(outputs);
    const { mark } = this.#parts.lane.progress;
    if (this.#rebuilding && mark !== undefined) {
      const { offset: first } = mark.group;
      await this.#record(
        shots.filter(({ offset }) => offset >= first && offset <= mark.offset),
      );
    }
    // Committed, but not in a file, since its owner crashed in between.
    const missing = shots.filter(({ offset }) => offset >= this.#parts.lane.missingFrom);
    if (missing.length > 0) await this.#add(missing);
  }

  async write(outputs: readonly Output[]): Promise<void> {
    this.#writing = true;
    await this.#add(shotsOf(outputs));
  }

  async flush(batch: BatchRange): Promise<void> {
    this.#catchUp();
    this.#writing = false;
    const pieces = this.#parts.recorder.take();
    if (pieces.length === 0) return;
    await this.#parts.lane.write(pieces, this.#parts.recorder.progress, batch);
  }

  restartOffset(): number | undefined {
    return this.#parts.lane.progress.mark?.group.offset ?? this.#firstHeld;
  }

  committed(batch: BatchRange): Promise<void> {
    return this.#parts.lane.confirm(batch);
  }

  async close(): Promise<void> {
    try {
      this.#catchUp();
      // An unfinished batch will be repeated.
      const pieces = this.#writing ? [] : this.#parts.recorder.take();
      await this.#parts.lane.close(pieces, this.#parts.recorder.progress);
    } finally {
      this.#parts.encoding[Symbol.dispose]();
    }
  }

  async #add(shots: readonly Shot[]): Promise<void> {
    this.#catchUp();
    this.#firstHeld ??= shots[0]?.offset;
    await this.#record(shots);
  }

  // Ends the rebuilding. If the repeated pictures gave the same bytes as in the file, the encoder
  // is where it was; otherwise (the log has lost some, or another version of x264 encodes) a new
  // group of pictures starts.
  #catchUp(): void {
    if (!this.#rebuilding) return;
    this.#rebuilding = false;
    this.#parts.recorder.take();
    const now = this.#parts.recorder.progress.mark;
    const then = this.#parts.lane.progress.mark;
    const same = now?.length === then?.length && now?.group.crc === then?.group.crc &&
      now?.frames === then?.frames;
    if (!same) this.#parts.recorder.restore(this.#parts.lane.progress);
  }

  async #record(shots: readonly Shot[]): Promise<void> {
    let next = this.#prepare(shots[0]);
    try {
      for (const [index, { timestamp, offset }] of shots.entries()) {
        const picture = await next;
        next = this.#prepare(shots[index + 1]);
        if (picture === undefined) continue;
        try {
          await this.#parts.recorder.add(picture, timestamp, offset);
        } finally {
          picture.release();
        }
      }
    } finally {
      // After a failure a picture may still be in preparation.
      const [left] = await Promise.allSettled([next]);
      if (left.status === "fulfilled") left.value?.release();
    }
  }

  async #prepare(shot: Shot | undefined): Promise<Prepared | undefined> {
    if (shot === undefined) return undefined;
    try {
      return await this.#parts.encoding.prepare(shot.image);
    } catch (error) {
      if (!(error instanceof BadFrameError)) throw error;
      this.#parts.context.report(`Not in the video: offset ${shot.offset}: ${error.message}`);
      return undefined;
    }
  }
}

function shotsOf(outputs: readonly Output[]): Shot[] {
  return outputs.flatMap((output) => {
    const picture = isFinding(output) ? output.picture : output;
    if (picture === undefined) return [];
    return [{ image: picture.value, timestamp: output.timestamp, offset: lastOffsetOf(output) }];
  });
}
