/**
 * Longer and longer waits between attempts.
 *
 * @module
 */

/** Bounds of the waits. */
export interface BackoffOptions {
  /** The first wait, milliseconds; 200 unless given. */
  readonly minDelayMs?: number;
  /** The longest wait, milliseconds; 10 000 unless given. */
  readonly maxDelayMs?: number;
  /** A number from 0 to 1; `Math.random` unless given. */
  readonly random?: () => number;
}

/** Waits that double, each shortened by up to a quarter, so that many cameras do not knock at once. */
export class Backoff {
  readonly #min: number;
  readonly #max: number;
  readonly #random: () => number;
  #next: number;

  constructor(options: BackoffOptions = {}) {
    const { minDelayMs = 200, maxDelayMs = 10_000, random = Math.random } = options;
    if (!(minDelayMs > 0) || !(maxDelayMs >= minDelayMs)) {
      throw new RangeError(
        `Cannot back off from ${minDelayMs} to ${maxDelayMs} ms: expected 0 < first <= longest`,
      );
    }
    this.#min = this.#next = minDelayMs;
    this.#max = maxDelayMs;
    this.#random = random;
  }

  /** How long to wait before the next attempt, milliseconds. */
  next(): number {
    const delay = this.#next * (1 - this.#random() / 4);
    this.#next = Math.min(this.#next * 2, this.#max);
    return delay;
  }

  /** It works again: the next wait is the first. */
  reset(): void {
    this.#next = this.#min;
  }
}
