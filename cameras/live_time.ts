// Capture times of live streams: the stream's own spacing, on this machine's clock.
import { type Clock, systemClock } from "../runtime/base/clock.ts";
import { Notifier, waitAtMost } from "../runtime/base/wait.ts";
import type { CaptureTimes } from "./capture_times.ts";

/** A stream that stays this late had paused; after a stall of the network it comes in a burst. */
const MOST_DELAY_MS = 1_000;
/** Time in which a burst catches up. */
const CATCH_UP_MS = 2_000;
/** Share of the difference that is corrected with each frame, for clock drift. */
const DRIFT_SHARE = 0.01;

/**
 * Maps a stream's times to the epoch. The fastest frame so far sets the offset between both clocks,
 * so that network jitter does not reach the timestamps; no frame is dated later than it arrived.
 */
export class LiveTime {
  readonly start: StreamStart;
  readonly #times: CaptureTimes;
  #offset: number | undefined;
  #lateSince: number | undefined;
  #arrived = 0;
  #streamMs = 0;
  #last = -Infinity;

  constructor(times: CaptureTimes) {
    this.#times = times;
    this.start = new StreamStart(times.clock);
  }

  /**
   * Notes that a frame has just arrived.
   *
   * @param kept false for one that is left out
   */
  arrived(streamMs: number, kept = true): void {
    const now = this.#times.clock.monotonic();
    const offset = now - streamMs;
    const late = this.#offset === undefined ? 0 : offset - this.#offset;
    // Frames of a burst say nothing of clock drift.
    const burst = now - this.#arrived < (streamMs - this.#streamMs) / 2;
    // By an eighth of a frame or more: jitter alone does not cause that for long.
    this.start.arrived(late < (this.#streamMs - streamMs) / 8, kept);
    this.#arrived = now;
    this.#streamMs = streamMs;
    this.#lateSince = late > MOST_DELAY_MS ? this.#lateSince ?? now : undefined;
    const paused = now - (this.#lateSince ?? now) > CATCH_UP_MS;
    if (this.#offset === undefined || late < 0 || paused) {
      this.#offset = offset;
      this.#lateSince = undefined;
    } else if (this.#lateSince === undefined && !burst) this.#offset += late * DRIFT_SHARE;
  }

  /** The capture time, epoch milliseconds, of a frame that arrived. */
  of(streamMs: number): number {
    this.#last = Math.max(this.#last, streamMs + this.#offset!);
    return this.#times.at(this.#last);
  }
}

/** A pause of this length ends a burst, milliseconds; so do frames at their own pace. */
const QUIET_MS = 100;
/** Four seconds at 30 frames/s; servers keep one group of pictures. */
const MOST_HELD = 128;

/**
 * What a server had buffered and sends at once when a stream begins: its capture times are known
 * when the burst is over.
 */
export class StreamStart {
  readonly #clock: Clock;
  readonly #noted = new Notifier();
  #count = 0;
  #kept = 0;
  #aheadAt = 0;
  #last: number | undefined;
  #gapMs = QUIET_MS;
  #over = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Between the last two frames, milliseconds. */
  get gapMs(): number {
    return this.#gapMs;
  }

  /**
   * @param ahead it came sooner after the one before than it was filmed
   * @param kept false for one that is not given to `hold`
   */
  arrived(ahead: boolean, kept = true): void {
    if (this.#over) return;
    const now = this.#clock.monotonic();
    if (this.#last !== undefined) this.#gapMs = now - this.#last;
    if (ahead || this.#last === undefined) this.#aheadAt = now;
    this.#over = now - this.#aheadAt >= QUIET_MS;
    this.#last = now;
    this.#count++;
    if (kept) this.#kept++;
    this.#noted.notify();
  }

  /** Gives the frames of the burst together when it is over, then each frame by itself. */
  async *hold<T>(frames: AsyncIterable<T>): AsyncGenerator<readonly T[], void> {
    let held: T[] = [];
    let taken = 0;
    try {
      for await (const frame of frames) {
        held.push(frame);
        taken++;
        // Frames arrive before they are taken.
        while (!this.#over && taken >= this.#kept) {
          const count = this.#count;
          await waitAtMost(QUIET_MS, this.#noted.wait(), systemClock);
          if (count === this.#count) this.#over = true;
        }
        if (!this.#over && held.length < MOST_HELD) continue;
        this.#over = true;
        const together = held;
        held = [];
        yield together;
      }
    } catch (error) {
      // Frames from before the failure are not lost.
      if (held.length > 0) yield held;
      throw error;
    }
    if (held.length > 0) yield held;
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
      // After a clock went back it starts again.
      if (this.#due - timestamp <= this.#interval) return false;
      this.#due = undefined;
    }
    const next = (this.#due ?? timestamp) + this.#interval;
    this.#due = next < timestamp ? timestamp + this.#interval : next;
    return true;
  }
}
