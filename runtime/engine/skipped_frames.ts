// Counts and reports good frames that are in no window.
import type { SkippedFrames } from "../definition/operator.ts";
import type { ExecutionOptions } from "./options.ts";

/** Reported at most this often, milliseconds. */
const REPORT_EVERY_MS = 60_000;

export class SkippedReport {
  readonly #options: ExecutionOptions;
  #seen: SkippedFrames = { late: 0, ahead: 0 };
  #unreported = { late: 0, ahead: 0 };
  #reported = -Infinity;

  constructor(options: ExecutionOptions) {
    this.#options = options;
  }

  /** Sets the base: re-read frames were counted before. */
  rebase(counts: SkippedFrames | undefined): void {
    if (counts !== undefined) this.#seen = counts;
  }

  /** Adds what is new in the operators' counts after a batch. */
  update(counts: SkippedFrames | undefined, totals: { late: number; ahead: number }): void {
    if (counts === undefined) return;
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
