/** Time as the runtime sees it. Injected everywhere, so that tests own it. */
export interface Clock {
  /** Epoch milliseconds. */
  now(): number;
  /** Milliseconds from an arbitrary start; never goes back. */
  monotonic(): number;
  /**
   * Resolves after `ms` milliseconds.
   *
   * @throws the signal's reason when it aborts first.
   */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

/** A longer timer fires at once: JavaScript counts its milliseconds in 31 bits. About 25 days. */
const LONGEST_MS = 2 ** 31 - 1;

/** The machine's own clock. */
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
      wait(ms);
      signal?.addEventListener("abort", abort, { once: true });
    });
  },
};
