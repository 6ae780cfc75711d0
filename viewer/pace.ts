// Limits pictures on a busy machine. Normally each is sent as it arrives. If timers of this thread run late,
// pages would compete with queries: then all tiles share a few hundred pictures per second, always the
// newest.
/** Interval of lateness checks, milliseconds. */
const CHECK_MS = 100;
/** Mean lateness above which the machine counts as busy, and below which it no longer does, milliseconds. */
const BUSY_MS = 6;
const CALM_MS = 3;
/** Pictures per second for all tiles on a busy machine. */
const BUSY_PICTURES = 400;

/** Measures timer lateness while pictures are viewed. */
export class Pace {
  #timer: ReturnType<typeof setInterval> | undefined;
  #last = 0;
  #lateness = 0;
  #busy = false;

  start(): void {
    if (this.#timer !== undefined) return;
    this.#last = performance.now();
    this.#timer = setInterval(() => {
      const now = performance.now();
      this.add(now - this.#last - CHECK_MS);
      this.#last = now;
    }, CHECK_MS);
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#lateness = 0;
    this.#busy = false;
  }

  /** Adds a measured lateness, milliseconds. */
  add(late: number): void {
    this.#lateness += (Math.max(0, late) - this.#lateness) / 4;
    this.#busy = this.#lateness > (this.#busy ? CALM_MS : BUSY_MS);
  }

  /** Minimum interval between pictures of a tile for this many watched tiles, milliseconds. */
  interval(tiles: number): number {
    return this.#busy ? tiles * 1_000 / BUSY_PICTURES : 0;
  }
}
