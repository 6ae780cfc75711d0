// What becomes of a streaming query that failed: it starts again after a while, or ends for good.
import type { PlainError } from "../executor/protocol.ts";

/**
 * Delays before a failed query starts again, milliseconds; they double each time. A query that has an end
 * starts again this many times, any other without limit. A log that is back must not wait for its queries.
 */
const RETRYABLE = { first: 100, most: 1000, times: 20 };
const FAILURE = { first: 1000, most: 30_000, times: 8 };
/** A query that ran this long without failing has recovered, milliseconds. */
const RECOVERED_AFTER_MS = 60_000;
/** Failures that a restart cannot mend. */
const FATAL = new Set([
  "OFFSET_OUT_OF_RANGE",
  "CHECKPOINT_GAP",
  "CHECKPOINT_CORRUPT",
  "CHECKPOINT_NEWER",
  "CHECKPOINT_CHANGED",
  "AUTHENTICATION_FAILED",
  "INVALID",
  "OPERATOR_FAILED",
  "TOO_LARGE",
  "DELETED",
]);
/** Another runtime took over: reported by the log, or by a sink that noticed it first. */
const FENCING = new Set(["FENCED", "TAKEN_OVER"]);

/** How a query came to fail. */
export interface Failure {
  readonly error: PlainError;
  /** Failures before this one, since it last recovered. */
  readonly failures: number;
  /** How long it ran, milliseconds. */
  readonly ranMs: number;
  /** The query has an end. */
  readonly finite: boolean;
  /** A group gave it the partition, and may give it back. */
  readonly member: boolean;
}

/**
 * The milliseconds to wait before the next start and the failures so far; undefined when there is
 * no next start.
 */
export function nextStart(
  { error: { code, retryable, failed }, failures, ranMs, finite, member }: Failure,
): { readonly delayMs: number; readonly failures: number } | undefined {
  const before = ranMs > RECOVERED_AFTER_MS ? 0 : failures;
  const fenced = code !== undefined && FENCING.has(code);
  const pace = retryable ? RETRYABLE : FAILURE;
  const fatal = code !== undefined && FATAL.has(code) || fenced && !member ||
    finite && (before >= pace.times || !retryable && !fenced && failed === undefined);
  if (fatal) return undefined;
  return { delayMs: Math.min(pace.most, pace.first * 2 ** before), failures: before + 1 };
}

/** Milliseconds before lanes of a dead executor start again, by the number of failures. */
export function strandedDelay(failures: number): number {
  return Math.min(FAILURE.most, RETRYABLE.first * 2 ** failures);
}
