// A stream's own frame times, corrected where they cannot be true.
import type { CaptureTimes } from "../capture_times.ts";
import { SourceError } from "../source.ts";
import type { VideoInput } from "./input.ts";

type StreamClock = Pick<VideoInput, "frameMs" | "milliseconds">;

/** Backward steps up to this many frames, and this long, are rounding or frames out of order. */
const MOST_FRAMES_BACK = 3;
const MOST_STEP_BACK_MS = 1_000;

/**
 * Times of one stream: from its first frame on, never backwards. A step beyond the limit begins a
 * new epoch, which follows the frame before as if nothing had happened.
 */
export class StreamTimes {
  /** Of this lap. */
  packets = 0;
  images = 0;
  readonly #input: StreamClock;
  readonly #times: CaptureTimes;
  readonly #live: boolean;
  #first: number | undefined;
  #last: number | undefined;
  #arrived = 0;
  /** A frame had a time of its own. */
  #dated = false;

  constructor(input: StreamClock, times: CaptureTimes, live = false) {
    this.#input = input;
    this.#times = times;
    this.#live = live;
  }

  /** Milliseconds since the stream's first frame. */
  of(timestamp: bigint): number {
    this.images++;
    const ms = this.#input.milliseconds(timestamp);
    const arrived = this.#times.clock.monotonic();
    const last = this.#last;
    const expected = last === undefined ? 0 : last + this.#interval(arrived);
    this.#arrived = arrived;
    if (ms === undefined) return this.#last = expected;
    if (this.#first === undefined) this.#first = this.#firstFor(ms, expected);
    const step = ms - this.#first - (last ?? 0);
    if (last !== undefined && this.#isJump(step)) {
      this.#times.jumped(step);
      this.#first = ms - expected;
    }
    return this.#last = Math.max(ms - this.#first, last ?? 0);
  }

  /** FFmpeg leaves out the first time of an RTSP stream, and counts the next from it, or from itself. */
  #firstFor(ms: number, expected: number): number {
    const last = this.#dated ? undefined : this.#last;
    this.#dated = true;
    if (last === undefined) return ms - expected;
    return ms > last && ms < MOST_STEP_BACK_MS ? 0 : ms - last - this.#input.frameMs;
  }

  /** What passes between two frames where the stream does not say: of a live one, what passed here. */
  #interval(arrived: number): number {
    const { frameMs } = this.#input;
    return this.#live ? Math.max(arrived - this.#arrived, frameMs / 4) : frameMs;
  }

  #isJump(step: number): boolean {
    if (this.#live && step <= 0) return true;
    // A film of one frame a minute is no stream of jumps.
    const most = Math.max(this.#times.timeJumpMs, 3 * this.#input.frameMs);
    const back = Math.min(MOST_STEP_BACK_MS, MOST_FRAMES_BACK * this.#input.frameMs);
    return step > most || step < -back;
  }

  /** The stream begins again; its first frame follows the last one. */
  beginAgain(): void {
    this.packets = this.images = 0;
    this.#first = undefined;
  }

  /**
   * A file that ends before what its header promised was cut off. MP4 names every frame; elsewhere
   * the promise is rough.
   */
  checkEnd(input: VideoInput): void {
    const { stream, frameMs, name, format } = input;
    const duration = input.milliseconds(stream.duration) ?? 0;
    const promised = Number(stream.nbFrames);
    const tolerance = format.includes("mp4")
      ? 2.5 * frameMs
      : Math.max(1_000, 2.5 * frameMs, 0.02 * duration);
    const end = (this.#last ?? 0) + frameMs;
    if (this.packets < promised && end < duration - tolerance) {
      throw new SourceError(
        "CORRUPT",
        `Cannot read all of ${name}: it is cut off after ${this.packets} of ${promised} frames`,
      );
    }
  }
}
