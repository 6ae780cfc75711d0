// Random numbers that can be had again: a trial prints its seed.

/** Numbers that follow from a seed. */
export class Random {
  readonly seed: number;
  #state: number;

  constructor(seed: number) {
    this.seed = seed;
    this.#state = seed >>> 0;
  }

  /** The seed in `FRAMELANE_TEST_SEED`, or `fallback`. */
  static fromEnvironment(fallback: number): Random {
    const text = Deno.env.get("FRAMELANE_TEST_SEED") ?? "";
    return new Random(/^\d+$/.test(text) ? Number(text) : fallback);
  }

  /** From 0 up to but without 1. */
  next(): number {
    this.#state = (this.#state + 0x9e3779b9) >>> 0;
    let mixed = this.#state;
    mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b);
    mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
    return ((mixed ^ (mixed >>> 16)) >>> 0) / 2 ** 32;
  }

  /** A whole number from `low` to `high`, both included. */
  whole(low: number, high: number): number {
    return low + Math.floor(this.next() * (high - low + 1));
  }

  pick<T>(items: readonly T[]): T {
    return items[this.whole(0, items.length - 1)]!;
  }
}
