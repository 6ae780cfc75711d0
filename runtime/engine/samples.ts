// Recent latency samples, for percentiles.
import type { LatencyPercentiles } from "../definition/progress.ts";

const CAPACITY = 4096;

/** A ring buffer of the newest samples. */
export class Samples {
  readonly #values = new Float64Array(CAPACITY);
  readonly #times = new Float64Array(CAPACITY);
  #count = 0;

  add(value: number, time: number): void {
    const index = this.#count++ % CAPACITY;
    this.#values[index] = value;
    this.#times[index] = time;
  }

  /** Percentiles of the samples taken at `since` or later; undefined if there are none. */
  percentiles(since: number): LatencyPercentiles | undefined {
    const held = Math.min(this.#count, CAPACITY);
    const values = new Float64Array(held);
    let size = 0;
    for (let i = 0; i < held; i++) {
      if (this.#times[i]! >= since) values[size++] = this.#values[i]!;
    }
    if (size === 0) return undefined;
    const sorted = values.subarray(0, size).sort();
    const at = (share: number) =>
      Math.round(sorted[Math.min(size - 1, Math.ceil(share * size) - 1)]! * 1000) / 1000;
    return { P0: at(1 / size), P50: at(0.5), P90: at(0.9), P95: at(0.95), P99: at(0.99) };
  }
}
