// Waiting, written once: back-off, retries, deadlines, notices, and limits on how many work at once.
import { type Clock, systemClock } from "./clock.ts";
import { read } from "./errors.ts";

interface BackoffOptions {
  /** First delay, milliseconds. Default 100; doubles from attempt to attempt. */
  readonly minDelayMs?: number;
  /** Longest delay, milliseconds. Default 5 000. */
  readonly maxDelayMs?: number;
  /** A random number from 0 to 1: half of each delay is fixed, the other half is scaled by it. */
  readonly jitter?: () => number;
}

/**
 * Delays that double, with jitter, so that many clients do not reconnect at the same moment.
 *
 * @throws {RangeError} when the delays are not 0 < minDelayMs ≤ maxDelayMs.
 */
export class Backoff {
  readonly #min: number;
  readonly #max: number;
  readonly #jitter: () => number;
  #failures = 0;

  constructor(
    { minDelayMs = 100, maxDelayMs = 5_000, jitter = Math.random }: BackoffOptions = {},
  ) {
    if (!(minDelayMs > 0 && minDelayMs <= maxDelayMs)) {
      throw new RangeError(
        `Cannot retry with delays from ${minDelayMs} to ${maxDelayMs} ms: expected 0 < minDelayMs ≤ maxDelayMs`,
      );
    }
    this.#min = minDelayMs;
    this.#max = maxDelayMs;
    this.#jitter = jitter;
  }

  /** Failures since the start or the last `reset`. */
  get failures(): number {
    return this.#failures;
  }

  /** Counts a failure and gives the delay before the next attempt, milliseconds. */
  next(): number {
    const full = Math.min(this.#max, this.#min * 2 ** Math.min(this.#failures++, 30));
    return full / 2 + (full / 2) * this.#jitter();
  }

  /** It works again: the next delay is the first one. */
  reset(): void {
    this.#failures = 0;
  }
}

interface RetryOptions extends BackoffOptions {
  readonly clock?: Clock;
  /** Ends the waiting: `retry` throws the signal's reason. */
  readonly signal?: AbortSignal;
  /** Called before each delay with what went wrong, the number of failed tries and the delay. */
  readonly onRetry?: (error: unknown, tries: number, delayMs: number) => void;
}

/** True for errors which say that the same may succeed later. */
export function isRetryable(error: unknown): boolean {
  return read(error, "retryable") === true;
}

/**
 * Calls `action` until it succeeds or throws an error without `retryable === true`.
 *
 * @throws {RangeError} when the delays are not 0 < minDelayMs ≤ maxDelayMs.
 * @throws what `action` threw, when it is not retryable; the signal's reason, when it aborts.
 */
export async function retry<T>(
  action: () => T | Promise<T>,
  { clock = systemClock, signal, onRetry, ...bounds }: RetryOptions = {},
): Promise<T> {
  const backoff = new Backoff(bounds);
  for (;;) {
    signal?.throwIfAborted();
    try {
      return await action();
    } catch (error) {
      if (!isRetryable(error)) throw error;
      const delay = backoff.next();
      onRetry?.(error, backoff.failures, delay);
      await clock.sleep(delay, signal);
    }
  }
}

/** Something took longer than it may. */
export class DeadlineError extends Error {
  override readonly name = "DeadlineError";
  /** The same may succeed later. */
  readonly retryable = true;
}

/** Why a timer ends early: one shared reason saves an exception with a stack for each. */
const DONE = new Error("The action was faster");

/**
 * Runs `action` for at most `ms` milliseconds. The signal it gets aborts at the deadline and with
 * the caller's signal: what it does must end then, since its result is no longer used.
 *
 * @throws {DeadlineError} at the deadline, with `what` in its message; the caller signal's reason.
 */
export async function withDeadline<T>(
  what: string,
  ms: number,
  action: (signal: AbortSignal) => Promise<T>,
  { clock = systemClock, signal }: { readonly clock?: Clock; readonly signal?: AbortSignal } = {},
): Promise<T> {
  signal?.throwIfAborted();
  const end = new AbortController();
  const stop = () => end.abort(signal!.reason);
  signal?.addEventListener("abort", stop, { once: true });
  const timer = new AbortController();
  clock.sleep(ms, timer.signal).then(
    () => end.abort(new DeadlineError(`${what} took longer than ${ms} ms`)),
    () => {}, // The action was faster.
  );
  try {
    return await settled(action(end.signal), end.signal);
  } finally {
    timer.abort(DONE);
    signal?.removeEventListener("abort", stop);
  }
}

/**
 * The promise's outcome, or the signal's reason if that aborts first. The promise is not ended by
 * it; a later rejection of it is not reported.
 */
export function settled<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise;
  return new Promise<T>((resolve, reject) => {
    const abort = () => reject(signal.reason);
    if (signal.aborted) abort();
    else signal.addEventListener("abort", abort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", abort));
  });
}

export function aborted(signal: AbortSignal): Promise<void> {
  return settled(new Promise<void>(() => {}), signal).catch(() => {});
}

/** Waits `ms` milliseconds; false when the signal aborts first. */
export async function pause(
  ms: number,
  signal: AbortSignal,
  clock = systemClock,
): Promise<boolean> {
  try {
    await clock.sleep(ms, signal);
    return true;
  } catch (reason) {
    if (!signal.aborted) throw reason;
    return false;
  }
}

/**
 * Waits for a promise, but no longer than `ms` milliseconds, nor after the signal aborts.
 *
 * @throws what the promise rejects with in that time.
 */
export async function waitAtMost(
  ms: number,
  promise: Promise<unknown>,
  clock: Clock,
  signal?: AbortSignal,
): Promise<void> {
  const over = new AbortController();
  const stop = signal === undefined ? over.signal : AbortSignal.any([signal, over.signal]);
  const late = pause(ms, stop, clock);
  try {
    await Promise.race([promise, late]);
  } finally {
    over.abort();
    await late;
  }
}

/**
 * Wakes all who wait for a change. Who waits looks at the state first, then waits, then looks again.
 */
export class Notifier {
  #next: PromiseWithResolvers<void> | undefined;

  /**
   * Resolves at the next `notify`.
   *
   * @throws the signal's reason when it aborts first.
   */
  wait(signal?: AbortSignal): Promise<void> {
    this.#next ??= Promise.withResolvers<void>();
    return settled(this.#next.promise, signal);
  }

  /** Wakes all who wait now. */
  notify(): void {
    this.#next?.resolve();
    this.#next = undefined;
  }
}

/**
 * Lets at most `permits` work at once, first come, first served.
 *
 * @throws {RangeError} when `permits` is not a whole number from 1 up.
 */
export class Semaphore {
  #free: number;
  readonly #queue: (() => void)[] = [];

  constructor(permits: number) {
    if (!Number.isInteger(permits) || permits < 1) {
      throw new RangeError(
        `Cannot make a semaphore of ${permits} permits: expected a whole number from 1 up`,
      );
    }
    this.#free = permits;
  }

  /**
   * Runs `action` as soon as a permit is free.
   *
   * @throws what `action` throws; the signal's reason when it aborts before the action began.
   */
  async run<T>(action: () => T | Promise<T>, signal?: AbortSignal): Promise<T> {
    await this.#acquire(signal);
    try {
      return await action();
    } finally {
      const next = this.#queue.shift();
      if (next === undefined) this.#free++;
      else next();
    }
  }

  #acquire(signal: AbortSignal | undefined): Promise<void> {
    if (signal?.aborted) return Promise.reject(signal.reason);
    if (this.#free > 0) {
      this.#free--;
      return Promise.resolve();
    }
    return new Promise<void>((resolve, reject) => {
      const abort = () => {
        this.#queue.splice(this.#queue.indexOf(enter), 1);
        reject(signal!.reason);
      };
      const enter = () => {
        signal?.removeEventListener("abort", abort);
        resolve();
      };
      this.#queue.push(enter);
      signal?.addEventListener("abort", abort, { once: true });
    });
  }
}
