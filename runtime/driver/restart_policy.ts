// Whether, and when, a failed streaming query restarts.
import type { PlainError } from "../executor/protocol.ts";

/** Delays before restarts, milliseconds; they double each time. */
const RETRYABLE = { first: 100, most: 5000 };
const FAILURE = { first: 1000, most: 30_000 };
/** Restarts of a finite query; others restart without limit. */
const MOST_RETRIES = 8;
/** A query that ran this long has recovered, milliseconds. */
const RECOVERED_AFTER_MS = 60_000;
/** Failures that a restart cannot fix. */
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
/** Another runtime took over, as noticed by the log or a sink. */
const FENCING = new Set(["FENCED", "TAKEN_OVER"]);

export interface Failure {
  readonly error: PlainError;
  /** Failures before this one, since it last recovered. */
  readonly failures: number;
  /** Run time, milliseconds. */
  readonly ranMs: number;
  /** Whether the query ends by itself. */
  readonly finite: boolean;
  /** The partition came from a group, and may come again. */
  readonly member: boolean;
}

/** Milliseconds until the next start and the failures so far; undefined when there is none. */
export function nextStart(
  { error: { code, retryable, failed }, failures, ranMs, finite, member }: Failure,
): { readonly delayMs: number; readonly failures: number } | undefined {
  const before = ranMs > RECOVERED_AFTER_MS ? 0 : failures;
  const fenced = code !== undefined && FENCING.has(code);
  const fatal = code !== undefined && FATAL.has(code) || fenced && !member ||
    finite && (before >= MOST_RETRIES || !retryable && !fenced && failed === undefined);
  if (fatal) return undefined;
  const pace = retryable ? RETRYABLE : FAILURE;
  return { delayMs: Math.min(pace.most, pace.first * 2 ** before), failures: before + 1 };
}

/** Delay before lanes of a dead executor restart, in milliseconds, by the number of failures. */
export function strandedDelay(failures: number): number {
  return Math.min(FAILURE.most, RETRYABLE.first * 2 ** failures);
}
