// The time of arrival, for retention. A wall clock that jumps must delete nothing.
import type { Clock } from "../../base/clock.ts";

/** Deviations up to this are believed: adjustments, and the time that a process was stopped. */
const toleranceMs = 2_000;
/** After a pause up to this the wall clock is believed. */
const pauseMs = 12 * 3_600_000;
/** How long a step must last before it is believed. */
const [confirmMs, confirmLargeMs] = [30_000, 600_000];

/**
 * The wall clock, except after a step: then time continues as the monotonic clock says, until the step has held for 30 s
 * (10 minutes when it is more than 12 h).
 */
export class ArrivalClock {
  readonly #clock: Clock;
  readonly #tell: (message: string) => void;
  #offset: number;
  #doubted: { readonly offset: number; readonly since: number } | undefined;

  /** @param last when the newest record of the log arrived; 0 when there is none. */
  constructor(clock: Clock, last: number, tell: (message: string) => void) {
    this.#clock = clock;
    this.#tell = tell;
    const [now, monotonic] = [clock.now(), clock.monotonic()];
    const believed = last === 0 || now >= last - toleranceMs && now - last <= pauseMs;
    this.#offset = (believed ? now : last) - monotonic;
  }

  /** Epoch milliseconds. */
  now(): number {
    const [wall, monotonic] = [this.#clock.now(), this.#clock.monotonic()];
    const offset = wall - monotonic;
    const step = offset - this.#offset;
    if (Math.abs(step) <= toleranceMs) {
      this.#offset = offset;
      this.#doubted = undefined;
      return Math.floor(wall);
    }
    const waitMs = Math.abs(step) > pauseMs ? confirmLargeMs : confirmMs;
    if (Math.abs((this.#doubted?.offset ?? Infinity) - offset) > toleranceMs) {
      this.#doubted = { offset, since: monotonic };
      this.#tell(
        `The clock is ${
          Math.round(step / 1000)
        } s off the time of the log: frames are dated and expire as if it ` +
          `were not, until this has held for ${waitMs / 1000} s`,
      );
    }
    if (monotonic - this.#doubted!.since < waitMs) return Math.floor(monotonic + this.#offset);
    this.#offset = offset;
    this.#doubted = undefined;
    return Math.floor(wall);
  }
}
