// Everything that waits: back-off, retries, deadlines, notifications, and limits on concurrency.
import { type Clock, systemClock } from "./clock.ts";
import { read } from "./errors.ts";

interface BackoffOptions {
  /** First delay, milliseconds. Default 100; doubles from attempt to attempt. */
  readonly minDelayMs?: number;
  /** Longest delay, milliseconds. Default 5 000. */
  readonly maxDelayMs?: number;
}

/** Delays that double; half of each is random, so that many clients do not reconnect at once. */
export class Backoff {
  readonly #min: number;
  readonly #max: number;
  #failures = 0;

  constructor({ minDelayMs = 100, maxDelayMs = 5_000 }: BackoffOptions = {}) {
    this.#min = minDelayMs;
    this.#max = maxDelayMs;
  }

  /** Failures since the start or the last `reset`. */
  get failures(): number {
    return this.#failures;
  }

  /** Counts a failure and returns the delay before the next attempt, in milliseconds. */
  next(): number {
    const full = Math.min(this.#max, this.#min * 2 ** Math.min(this.#failures++, 30));
    return full / 2 + (full / 2) * Math.random();
  }

  /** Call after a success: the next delay is the first one again. */
  reset(): void {
    this.#failures = 0;
  }
}

interface RetryOptions extends BackoffOptions {
  readonly clock?: Clock;
  /** Cancels the wait: `retry` throws the signal's reason. */
  readonly signal?: AbortSignal;
  /** Called before each delay with the error, the number of failed attempts and the delay. */
  readonly onRetry?: (error: unknown, tries: number, delayMs: number) => void;
}

/** Whether an error says that the same action may succeed later. */
export function isRetryable(error: unknown): boolean {
  return read(error, "retryable") === true;
}

/**
 * Calls `action` until it succeeds or throws an error without `retryable === true`.
 *
 * @throws the last error of `action` if it is not retryable; the signal's reason if it aborts
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

export class DeadlineError extends Error {
  override readonly name = "DeadlineError";
  readonly retryable = true;
}

/** Why a timer ends early: one shared reason saves an exception with a stack for each. */
const DONE = new Error("The action was faster");

/**
 * Runs `action` for at most `ms` milliseconds. The signal passed to it aborts at the deadline and with the
 * caller's signal; the action must stop then, since its result is no longer used.
 *
 * @throws {DeadlineError} at the deadline, with `what` in its message; the caller signal's reason
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
    () => {}, // The action finished in time.
  );
  try {
    return await settled(action(end.signal), end.signal);
  } finally {
    timer.abort(DONE);
    signal?.removeEventListener("abort", stop);
  }
}

/**
 * The promise's outcome, or the signal's reason if that aborts first. An abort does not cancel the promise;
 * its later rejection is ignored.
 */
export function settled<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise;
  return new Promise<T>((resolve, reject) => {
    const abort = () => reject(signal.reason);
    if (signal.aborted) abort();
    signal.addEventListener("abort", abort, { once: true });
    const end = () => signal.removeEventListener("abort", abort);
    promise.then((value) => (end(), resolve(value)), (error) => (end(), reject(error)));
  });
}

export function aborted(signal: AbortSignal): Promise<void> {
  return settled(new Promise<void>(() => {}), signal).catch(() => {});
}

/** Waits `ms` milliseconds; returns false if the signal aborts first. */
export function pause(ms: number, signal: AbortSignal, clock = systemClock): Promise<boolean> {
  return clock.sleep(ms, signal).then(() => true, () => false);
}

/**
 * Waits for a promise for at most `ms` milliseconds, or until the signal aborts.
 *
 * @throws the promise's rejection, if it comes in that time
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
    over.abort(DONE);
    await late;
  }
}

/** Wakes all waiters on a change. Check the state, wait, then check it again. */
export class Notifier {
  #next: PromiseWithResolvers<void> | undefined;

  /**
   * Resolves at the next `notify`.
   *
   * @throws the signal's reason if it aborts first.
   */
  wait(signal?: AbortSignal): Promise<void> {
    this.#next ??= Promise.withResolvers<void>();
    return settled(this.#next.promise, signal);
  }

  notify(): void {
    this.#next?.resolve();
    this.#next = undefined;
  }
}

/** Lets at most `permits` actions run at once, first come, first served. */
export class Semaphore {
  #free: number;
  readonly #queue: (() => void)[] = [];

  constructor(permits: number) {
    this.#free = permits;
  }

  /** Whether an action would begin at once. */
  get isFree(): boolean {
    return this.#free > 0;
  }

  /**
   * Runs `action` as soon as a permit is free.
   *
   * @throws what `action` throws; the signal's reason if it aborts before the action begins.
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

  async #acquire(signal: AbortSignal | undefined): Promise<void> {
    signal?.throwIfAborted();
    if (this.#free > 0) return void this.#free--;
    await new Promise<void>((resolve, reject) => {
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
