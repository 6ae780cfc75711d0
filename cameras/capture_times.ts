// Capture times: readings of the monotonic clock, mapped to the wall clock.
import type { Clock } from "../runtime/base/clock.ts";

/** How many irregular times were corrected since the start. */
export interface TimeFaults {
  /** Steps of this machine's wall clock. */
  readonly clockSteps: number;
  /** Jumps in a stream's own timestamps. */
  readonly timeJumps: number;
}

/** A larger change of the difference between the two clocks means that the wall clock was set. */
const STEP_MS = 500;
/** A larger step in a stream's timestamps is a jump, milliseconds. */
export const TIME_JUMP_MS = 10_000;

/**
 * Converts readings of the monotonic clock to epoch time. When the wall clock is set, the
 * difference between the clocks is measured again: times jump once, by the same amount, and are
 * evenly spaced before and after.
 */
export class CaptureTimes implements TimeFaults {
  readonly clock: Clock;
  readonly #report: (message: string) => void;
  #offset: number;
  #clockSteps = 0;
  #timeJumps = 0;
  #reported = 0;

  constructor(clock: Clock, report: (message: string) => void = () => {}) {
    this.clock = clock;
    this.#report = report;
    this.#offset = this.#difference();
  }

  get clockSteps(): number {
    return this.#clockSteps;
  }

  get timeJumps(): number {
    return this.#timeJumps;
  }

  /** The current time, epoch milliseconds. */
  now(): number {
    return this.at(this.clock.monotonic());
  }

  /** Converts a reading of the monotonic clock to epoch milliseconds. */
  at(monotonic: number): number {
    // A pause between the two readings also looks like a step, so measure twice.
    if (Math.abs(this.#difference() - this.#offset) > STEP_MS) {
      const step = this.#difference() - this.#offset;
      if (Math.abs(step) > STEP_MS) {
        this.#offset += step;
        this.#clockSteps++;
        this.#report(`This machine's clock was set ${describe(step)}; capture times follow it`);
      }
    }
    return monotonic + this.#offset;
  }

  /** Counts a jump in a stream's timestamps, and reports at exponentially growing intervals. */
  jumped(ms: number): void {
    if (++this.#timeJumps < 2 * this.#reported) return;
    this.#reported = this.#timeJumps;
    const what = Math.abs(ms) < 1 ? "stood still" : `jumped ${describe(ms)}`;
    this.#report(
      `The stream's time ${what} (${this.#timeJumps} times so far); frames keep their spacing`,
    );
  }

  #difference(): number {
    return this.clock.now() - this.clock.monotonic();
  }
}

function describe(ms: number): string {
  const size = Math.abs(ms);
  const text = size < 1_000 ? `${Math.round(size)} ms` : `${(size / 1000).toFixed(1)} s`;
  return `${text} ${ms < 0 ? "back" : "forward"}`;
}
