// How often tiles get pictures. Where there is time, each as it comes. Where this thread gets its turn
// late the machine is busy, and what pages cost would be taken from the queries: then all tiles
// together share a few hundred pictures a second, each always the newest.
/** How often lateness is looked at, milliseconds. */
const LOOK_MS = 25;
/** Mean lateness from which the machine counts as busy, and below which it does not any more, milliseconds. */
const BUSY_MS = 6;
const CALM_MS = 3;
/** Pictures a second for all tiles of a busy machine. */
const BUSY_PICTURES = 400;

/** Watches how late timers are, while there are viewers. */
export class Pace {
  #timer: ReturnType<typeof setInterval> | undefined;
  #last = 0;
  #lateness = 0;
  #busy = false;

  /** Begins to watch. */
  start(): void {
    if (this.#timer !== undefined) return;
    this.#last = performance.now();
    this.#timer = setInterval(() => {
      const now = performance.now();
      this.see(now - this.#last - LOOK_MS);
      this.#last = now;
    }, LOOK_MS);
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#lateness = 0;
    this.#busy = false;
  }

  /** Takes how late a timer was, milliseconds. */
  see(late: number): void {
    this.#lateness += (Math.max(0, late) - this.#lateness) / 16;
    this.#busy = this.#lateness > (this.#busy ? CALM_MS : BUSY_MS);
  }

  /** Milliseconds from one picture of a tile to its next at least, for the number of tiles that are watched. */
  interval(tiles: number): number {
    return this.#busy ? tiles * 1_000 / BUSY_PICTURES : 0;
  }
}
