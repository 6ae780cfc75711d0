// Counts and reports good frames in no window.
import type { LeftOut } from "../definition/operator.ts";
import type { StateOperatorProgress } from "../definition/progress.ts";
import type { ExecutionOptions } from "./options.ts";

/** Reported at most this often, milliseconds. */
const REPORT_EVERY_MS = 60_000;

/** The counts of one operator, as in Spark's progress reports. */
export function leftOutProgress(counts: LeftOut | undefined): Partial<StateOperatorProgress> {
  if (counts === undefined) return {};
  const { late, ahead } = counts;
  return { numRowsDroppedByWatermark: late, customMetrics: { numRowsTooFarAhead: ahead } };
}

export class LeftOutFrames {
  readonly #options: ExecutionOptions;
  #seen: LeftOut = { late: 0, ahead: 0 };
  #unreported = { late: 0, ahead: 0 };
  #reported = -Infinity;

  constructor(options: ExecutionOptions) {
    this.#options = options;
  }

  /** Sets the base: re-read frames were counted before. */
  rebase(counts: LeftOut): void {
    this.#seen = counts;
  }

  /** Adds what is new in the operators' counts after a batch. */
  update(counts: LeftOut, totals: { late: number; ahead: number }): void {
    for (const kind of ["late", "ahead"] as const) {
      // Reopened operators count from 0.
      const before = Math.min(this.#seen[kind], counts[kind]);
      this.#unreported[kind] += counts[kind] - before;
      totals[kind] += counts[kind] - before;
    }
    this.#seen = counts;
    const { late, ahead } = this.#unreported;
    const { clock, report, topic, partition } = this.#options;
    if (late + ahead === 0 || clock.monotonic() - this.#reported < REPORT_EVERY_MS) return;
    const parts = [
      ...(late > 0 ? [`${late} came too late for their windows`] : []),
      ...(ahead > 0 ? [`${ahead} had capture times too far ahead of their neighbours'`] : []),
    ];
    report(`Frames of ${topic} partition ${partition} in no window: ${parts.join(", ")}`);
    this.#reported = clock.monotonic();
    this.#unreported = { late: 0, ahead: 0 };
  }
}
