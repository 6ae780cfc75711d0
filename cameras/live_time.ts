// Capture times of live streams: the stream's own spacing, laid on this machine's clock.
import type { CaptureTimes } from "./capture_times.ts";

/** A stream that stays this late had a pause; after a stall of the network it comes in a burst. */
const MOST_DELAY_MS = 1_000;
/** Within this time a burst catches up. */
const CATCH_UP_MS = 2_000;
/** How much of the difference is taken over a frame, for clocks that run at different speeds. */
const DRIFT_SHARE = 0.01;

/**
 * Maps a stream's times to the epoch. The frame that came through fastest so far sets the
 * difference between both clocks, so that jitter of the network does not reach the timestamps; no
 * frame is dated later than it arrived.
 */
export class LiveTime {
  readonly #times: CaptureTimes;
  #offset: number | undefined;
  #lateSince: number | undefined;
  #arrived = 0;
  #streamMs = 0;
  #last = -Infinity;

  constructor(times: CaptureTimes) {
    this.#times = times;
  }

  /** The capture time, epoch milliseconds, of a frame that has just arrived. */
  of(streamMs: number): number {
    const now = this.#times.clock.monotonic();
    const offset = now - streamMs;
    const late = this.#offset === undefined ? 0 : offset - this.#offset;
    // Frames that come together say nothing of how fast the clocks go.
    const burst = now - this.#arrived < (streamMs - this.#streamMs) / 2;
    this.#arrived = now;
    this.#streamMs = streamMs;
    this.#lateSince = late > MOST_DELAY_MS ? this.#lateSince ?? now : undefined;
    const paused = now - (this.#lateSince ?? now) > CATCH_UP_MS;
    if (this.#offset === undefined || late < 0 || paused) {
      this.#offset = offset;
      this.#lateSince = undefined;
    } else if (this.#lateSince === undefined && !burst) this.#offset += late * DRIFT_SHARE;
    this.#last = Math.max(this.#last, streamMs + this.#offset);
    return this.#times.at(this.#last);
  }
}

/** Lets at most this many frames per second pass. */
export class Decimator {
  readonly #interval: number;
  #due: number | undefined;

  /** @param fps undefined lets all pass */
  constructor(fps: number | undefined) {
    this.#interval = fps === undefined ? 0 : 1000 / fps;
  }

  /** @param timestamp of the next frame, milliseconds */
  accepts(timestamp: number): boolean {
    if (this.#interval === 0) return true;
    // Half a millisecond of grace: frame times come rounded.
    if (this.#due !== undefined && timestamp < this.#due - 0.5) {
      // A clock that went back starts again.
      if (this.#due - timestamp <= this.#interval) return false;
      this.#due = undefined;
    }
    const next = (this.#due ?? timestamp) + this.#interval;
    this.#due = next < timestamp ? timestamp + this.#interval : next;
    return true;
  }
}
