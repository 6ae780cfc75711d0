// A stream's own frame times, corrected if implausible.
import { type CaptureTimes, TIME_JUMP_MS } from "../capture_times.ts";
import type { VideoInput } from "./input.ts";

type StreamClock = Pick<VideoInput, "frameMs" | "milliseconds">;

/** Smaller backward steps are rounding errors or frames out of order. */
const MOST_FRAMES_BACK = 3;
const MOST_STEP_BACK_MS = 1_000;

/** Rising times since the first frame; a larger step continues at the previous frame. */
export class StreamTimes {
  readonly #input: StreamClock;
  readonly #times: CaptureTimes;
  readonly #live: boolean;
  #first: number | undefined;
  #last: number | undefined;
  #arrived = 0;
  /** True after the first frame with a timestamp. */
  #dated = false;

  constructor(input: StreamClock, times: CaptureTimes, live = false) {
    this.#input = input;
    this.#times = times;
    this.#live = live;
  }

  of(timestamp: bigint): number {
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

  /** FFmpeg omits an RTSP stream's first timestamp, and counts the next from it or from itself. */
  #firstFor(ms: number, expected: number): number {
    const last = this.#dated ? undefined : this.#last;
    this.#dated = true;
    if (last === undefined) return ms - expected;
    return ms > last && ms < MOST_STEP_BACK_MS ? 0 : ms - last - this.#input.frameMs;
  }

  /** The expected time between two frames; for live streams, between their arrivals. */
  #interval(arrived: number): number {
    const { frameMs } = this.#input;
    return this.#live ? Math.max(arrived - this.#arrived, frameMs / 4) : frameMs;
  }

  #isJump(step: number): boolean {
    if (this.#live && step <= 0) return true;
    // A time-lapse of one frame per minute does not consist of jumps.
    const most = Math.max(TIME_JUMP_MS, 3 * this.#input.frameMs);
    const back = Math.min(MOST_STEP_BACK_MS, MOST_FRAMES_BACK * this.#input.frameMs);
    return step > most || step < -back;
  }
}
