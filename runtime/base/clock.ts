/** Time as the runtime sees it. Injected everywhere so that tests control it. */
export interface Clock {
  /** Epoch milliseconds. Only dates things: it may be set, so durations are differences of `monotonic`. */
  now(): number;
  /** Milliseconds from an arbitrary start; never decreases. */
  monotonic(): number;
  /**
   * Resolves after `ms` milliseconds.
   *
   * @throws the signal's reason if it aborts first.
   */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

/**
 * Longest timer: JavaScript keeps a timer's milliseconds in 31 bits (about 25 days) and fires a longer one at
 * once.
 */
export const LONGEST_MS = 2 ** 31 - 1;

/** Monotonic time of epoch milliseconds, as the wall clock is now: it may be set. */
export function monotonicOf(clock: Clock, epoch: number): number {
  return clock.monotonic() + epoch - clock.now();
}

/** Epoch milliseconds of a monotonic time; 0 once it has passed. */
export function epochOf(clock: Clock, monotonic: number): number {
  const left = monotonic - clock.monotonic();
  return left > 0 ? clock.now() + left : 0;
}

/** The system clock. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  sleep(ms, signal) {
    // Rejected, not thrown, so that a caller's catch of the promise sees it.
    if (signal?.aborted) return Promise.reject(signal.reason);
    return new Promise((resolve, reject) => {
      let timer: ReturnType<typeof setTimeout>;
      const abort = () => {
        clearTimeout(timer);
        reject(signal!.reason);
      };
      const wait = (left: number) => {
        timer = setTimeout(() => {
          if (left > LONGEST_MS) return wait(left - LONGEST_MS);
          signal?.removeEventListener("abort", abort);
          resolve();
        }, Math.min(left, LONGEST_MS));
      };
      // A time that is over already needs no warning.
      wait(Math.max(0, ms));
      signal?.addEventListener("abort", abort, { once: true });
    });
  },
};
