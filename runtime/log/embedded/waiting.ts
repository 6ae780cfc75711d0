// Waits for locks of other processes.
import type { Clock } from "../../base/clock.ts";
import { storageFault } from "./errors.ts";

/** SQLite waits this long for a lock within a call; after that, the event loop gets a turn. Milliseconds. */
export const busyTimeoutMs = 3;
/**
 * Above this size of the write-ahead log, a writer waits once for readers to finish so that SQLite can
 * restart it.
 */
export const walLimitBytes = 32 << 20;

export interface Waiting {
  readonly clock: Clock;
  /** Longest wait. */
  readonly timeoutMs: number;
}

/** Retries `work` while it meets a lock, yielding to the event loop in between. */
export async function whileBusy<T>(
  { clock, timeoutMs }: Waiting,
  work: () => T | Promise<T>,
): Promise<T> {
  let started: number | undefined;
  for (let delay = 1;; delay = Math.min(delay * 1.5, 20)) {
    try {
      return await work();
    } catch (error) {
      if (storageFault(error) !== "busy") throw error;
      started ??= clock.monotonic();
      if (clock.monotonic() - started > timeoutMs) throw error;
      // With jitter, so that the same writers do not collide again.
      await clock.sleep(delay * (0.5 + Math.random()));
    }
  }
}
