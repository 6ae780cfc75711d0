// The time of arrival, for retention. A wall clock that jumps must delete nothing.
import type { Clock } from "../../base/clock.ts";

/** Deviations up to this are believed: adjustments, and the time that a process was stopped. */
const toleranceMs = 2_000;
/** After a pause up to this the wall clock is believed. */
export const pauseMs = 12 * 3_600_000;
/** How long a step must last before it is believed. */
const [confirmMs, confirmLargeMs] = [30_000, 600_000];

/** What a step forward changes in the log before it is believed. */
export interface Dated {
  /** Arrival time of the newest record. */
  newest(): Promise<number>;
  /** Makes records later by `ms` that arrived from `from` to `to`: the step has made them no older. */
  redate(from: number, to: number, ms: number): Promise<void>;
}

/**
 * The wall clock, except after a step: then time continues with the monotonic clock until the step has lasted
 * for 30 s (10 minutes if it is more than 12 h).
 */
export class ArrivalClock {
  readonly #clock: Clock;
  readonly #tell: (message: string) => void;
  #offset: number;
  #suspect: { readonly offset: number; readonly since: number } | undefined;

  /** @param last arrival time of the log's newest record; 0 if there is none */
  constructor(clock: Clock, last: number, tell: (message: string) => void) {
    this.#clock = clock;
    this.#tell = tell;
    const [now, monotonic] = [clock.now(), clock.monotonic()];
    const trusted = last === 0 || now >= last - toleranceMs && now - last <= pauseMs;
    // Later than the newest record by more than times are rounded: `follow` tells by it what arrived before.
    this.#offset = (trusted ? now : last + 3) - monotonic;
  }

  /** Epoch milliseconds. */
  now(): number {
    const [wall, monotonic] = [this.#clock.now(), this.#clock.monotonic()];
    const offset = wall - monotonic;
    const step = offset - this.#offset;
    if (Math.abs(step) <= toleranceMs) {
      this.#offset = offset;
      this.#suspect = undefined;
      return Math.floor(wall);
    }
    const waitMs = Math.abs(step) > pauseMs ? confirmLargeMs : confirmMs;
    if (Math.abs((this.#suspect?.offset ?? Infinity) - offset) > toleranceMs) {
      this.#suspect = { offset, since: monotonic };
      this.#tell(
        `The clock is ${
          Math.round(step / 1000)
        } s off the log's time, after a pause or because it was set: frames keep arriving and expiring by ` +
          `the log's time until this has lasted for ${waitMs / 1000} s`,
      );
    }
    const lasted = monotonic - this.#suspect!.since >= waitMs;
    if (!lasted || step > pauseMs) return Math.floor(monotonic + this.#offset);
    this.#offset = offset;
    this.#suspect = undefined;
    return Math.floor(wall);
  }

  /** Believes a large step forward, as after a day's pause, once it has lasted or another process believes it. */
  async follow(log: Dated): Promise<void> {
    const now = this.now();
    const step = (this.#suspect?.offset ?? 0) - this.#offset;
    if (this.#suspect === undefined || step <= pauseMs) return;
    const { offset, since } = this.#suspect;
    const ahead = await log.newest() - now;
    if (ahead <= toleranceMs || ahead > step + toleranceMs) {
      const lastedMs = this.#clock.monotonic() - since;
      if (lastedMs < confirmLargeMs) return;
      // Another process may be a little ahead.
      await log.redate(now - Math.ceil(lastedMs), now + toleranceMs, Math.floor(step));
    }
    this.#offset = offset;
    this.#suspect = undefined;
  }
}
