// Waiting for the locks of other processes.
import type { Clock } from "../../base/clock.ts";
import { storageFault } from "./errors.ts";

/** SQLite waits this long for a lock inside of a call; beyond that the event loop gets its turn. */
export const busyTimeoutMs = 3;
/** From this length of the write-ahead log on a writer waits for the readers once, so that it starts over. */
export const walLimitBytes = 32 << 20;

/** How to wait for locks. */
export interface Waiting {
  readonly clock: Clock;
  /** How long at most. */
  readonly timeoutMs: number;
}

/** Calls `work` until it no longer meets a lock; gives the event loop its turn in between. */
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
      // Apart from each other, so that the same writers do not meet again.
      await clock.sleep(delay * (0.5 + Math.random()));
    }
  }
}
