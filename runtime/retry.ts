/**
 * Waiting and trying again, done once for everything that may be away for a while.
 *
 * @module
 */
import { type Clock, systemClock } from "./clock.ts";

/** How to try again. */
export interface RetryOptions {
  readonly clock?: Clock;
  /** Ends the waiting: `retry` throws the signal's reason. */
  readonly signal?: AbortSignal;
  /** Delay before the second try. Default 100; doubles from try to try. */
  readonly minDelayMs?: number;
  /** Longest delay. Default 5 000. */
  readonly maxDelayMs?: number;
  /** A random number from 0 to 1: half of each delay is fixed, the other half is scaled by it. */
  readonly jitter?: () => number;
  /** Called before each delay with what went wrong, the number of failed tries and the delay. */
  readonly onRetry?: (error: unknown, tries: number, delayMs: number) => void;
}

/** True for errors which say that the same may succeed later. */
export function isRetryable(error: unknown): boolean {
  return typeof error === "object" && error !== null && "retryable" in error &&
    error.retryable === true;
}

/**
 * Calls `action` until it succeeds or throws an error without `retryable === true`.
 *
 * @throws {RangeError} when the delays are not 0 < minDelayMs ≤ maxDelayMs.
 * @throws what `action` threw, when it is not retryable; the signal's reason, when it aborts.
 *
 * @example
 * ```ts
 * import { retry } from "./retry.ts";
 *
 * let tries = 0;
 * const answer = await retry(() => {
 *   if (++tries < 3) throw Object.assign(new Error("Away"), { retryable: true });
 *   return Promise.resolve(42);
 * }, { minDelayMs: 1 });
 * ```
 */
export async function retry<T>(
  action: () => T | Promise<T>,
  {
    clock = systemClock,
    signal,
    minDelayMs = 100,
    maxDelayMs = 5_000,
    jitter = Math.random,
    onRetry,
  }: RetryOptions = {},
): Promise<T> {
  if (!(minDelayMs > 0 && minDelayMs <= maxDelayMs)) {
    throw new RangeError(
      `Cannot retry with delays from ${minDelayMs} to ${maxDelayMs} ms: expected 0 < minDelayMs ≤ maxDelayMs`,
    );
  }
  for (let tries = 1;; tries++) {
    signal?.throwIfAborted();
    try {
      return await action();
    } catch (error) {
      if (!isRetryable(error)) throw error;
      const full = Math.min(maxDelayMs, minDelayMs * 2 ** Math.min(tries - 1, 30));
      const delay = full / 2 + (full / 2) * jitter();
      onRetry?.(error, tries, delay);
      await clock.sleep(delay, signal);
    }
  }
}
