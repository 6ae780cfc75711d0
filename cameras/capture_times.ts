// Capture times: durations of the monotonic clock, laid on the wall clock.
import type { Clock } from "../runtime/base/clock.ts";

/** Irregular times that were corrected, counted since the start. */
export interface TimeFaults {
  /** Steps of this machine's wall clock. */
  readonly clockSteps: number;
  /** Jumps of a stream's own time. */
  readonly timeJumps: number;
}

/** Readings of the two clocks lie this far apart at most, unless the wall clock was set. */
const STEP_MS = 500;
/** A stream's time that jumps by more than this began again, milliseconds. */
export const DEFAULT_TIME_JUMP_MS = 10_000;

/**
 * The epoch time of moments of the monotonic clock. When the wall clock is set, the difference
 * between both is taken again: times jump once, by as much, and are evenly spaced before and after.
 */
export class CaptureTimes implements TimeFaults {
  readonly clock: Clock;
  /** A step of a stream's time beyond this is a jump. */
  readonly timeJumpMs: number;
  readonly #report: (message: string) => void;
  #offset: number;
  #clockSteps = 0;
  #timeJumps = 0;
  #told = 0;

  constructor(
    clock: Clock,
    report: (message: string) => void = () => {},
    timeJumpMs = DEFAULT_TIME_JUMP_MS,
  ) {
    this.clock = clock;
    this.timeJumpMs = timeJumpMs;
    this.#report = report;
    this.#offset = this.#difference();
  }

  get clockSteps(): number {
    return this.#clockSteps;
  }

  get timeJumps(): number {
    return this.#timeJumps;
  }

  /** The present, epoch milliseconds. */
  now(): number {
    return this.at(this.clock.monotonic());
  }

  /** The epoch time of a moment of the monotonic clock. */
  at(monotonic: number): number {
    // A thread that paused between the two readings looks like a step: the second look tells.
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

  /** Counts a jump of a stream's own time, and reports ever more rarely. */
  jumped(ms: number): void {
    if (++this.#timeJumps < 2 * this.#told) return;
    this.#told = this.#timeJumps;
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
