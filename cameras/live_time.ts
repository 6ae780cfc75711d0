// Capture times of live streams: the stream's own spacing on this machine's clock.
import { type Clock, systemClock } from "../runtime/base/clock.ts";
import { Notifier, waitAtMost } from "../runtime/base/wait.ts";
import type { CaptureTimes } from "./capture_times.ts";

/** A stream that stays this late was paused; after a network stall, frames arrive in a burst. */
const MOST_DELAY_MS = 1_000;
/** A burst catches up within this time. */
const CATCH_UP_MS = 2_000;
/** Share of the difference that each frame corrects, for clocks that run at different speeds. */
const DRIFT_SHARE = 0.01;

/**
 * Maps a stream's times to the epoch. The frame with the lowest delay so far sets the difference
 * between the clocks, so network jitter does not affect timestamps. No frame is dated later than it
 * arrived.
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
   * Records that a frame has just arrived.
   *
   * @param kept false if the frame is skipped
   */
  arrived(streamMs: number, kept = true): void {
    const now = this.#times.clock.monotonic();
    const offset = now - streamMs;
    const late = this.#offset === undefined ? 0 : offset - this.#offset;
    // Frames in a burst do not show how fast the clocks run.
    const burst = now - this.#arrived < (streamMs - this.#streamMs) / 2;
    // By an eighth of a frame interval or more: jitter alone does not cause that for long.
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

  of(streamMs: number): number {
    this.#last = Math.max(this.#last, streamMs + this.#offset!);
    return this.#times.at(this.#last);
  }
}

/** A pause this long ends a burst, milliseconds; so do frames that arrive at their own rate. */
const QUIET_MS = 100;
/** Four seconds at 30 frames/s; servers buffer one group of pictures. */
const MOST_HELD = 128;

/** The burst of buffered frames at the start of a stream, dated once it ends. */
export class StreamStart {
  readonly #clock: Clock;
  readonly #arrival = new Notifier();
  #count = 0;
  #kept = 0;
  #aheadAt = 0;
  #last: number | undefined;
  #gapMs = QUIET_MS;
  #over = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Milliseconds between the last two arrivals. */
  get gapMs(): number {
    return this.#gapMs;
  }

  /**
   * @param ahead true if it arrived sooner after the previous frame than it was captured
   * @param kept false if the frame is not passed to `hold`
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
    this.#arrival.notify();
  }

  /** Yields the frames of the burst together when it ends, then each frame alone. */
  async *hold<T>(frames: AsyncIterable<T>): AsyncGenerator<readonly T[], void> {
    let held: T[] = [];
    let taken = 0;
    try {
      for await (const frame of frames) {
        held.push(frame);
        taken++;
        // Frames arrive before they are requested.
        while (!this.#over && taken >= this.#kept) {
          const count = this.#count;
          // Bytes arrive in real time, so the injected clock does not apply.
          const since = systemClock.monotonic();
          await waitAtMost(QUIET_MS, this.#arrival.wait(), systemClock);
          // A process that stood still did not listen: its silence is not the server's.
          const listened = systemClock.monotonic() - since < 1.25 * QUIET_MS;
          if (listened && count === this.#count) this.#over = true;
        }
        if (!this.#over && held.length < MOST_HELD) continue;
        this.#over = true;
        const together = held;
        held = [];
        yield together;
      }
    } catch (error) {
      // Keep the frames that arrived before the failure.
      if (held.length > 0) yield held;
      throw error;
    }
    if (held.length > 0) yield held;
  }
}

/** Limits a stream to a number of frames per second. */
export class Decimator {
  readonly #interval: number;
  #due: number | undefined;

  /** @param fps without a number there is no limit */
  constructor(fps: number | "max" | undefined) {
    this.#interval = typeof fps === "number" ? 1000 / fps : 0;
  }

  accepts(timestamp: number): boolean {
    if (this.#interval === 0) return true;
    // Allow half a millisecond: frame times are rounded.
    if (this.#due !== undefined && timestamp < this.#due - 0.5) {
      // Start again if the clock went back.
      if (this.#due - timestamp <= this.#interval) return false;
      this.#due = undefined;
    }
    const next = (this.#due ?? timestamp) + this.#interval;
    this.#due = next < timestamp ? timestamp + this.#interval : next;
    return true;
  }
}
