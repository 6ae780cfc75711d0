// Waits for locks of other processes.
import type { Clock } from "../../base/clock.ts";
import { storageFault } from "./errors.ts";

/** SQLite waits this long within a call; then the event loop gets a turn. */
export const busyTimeoutMs = 3;
/** At this length of the write-ahead log a writer waits for the readers once, to start it over. */
export const walLimitBytes = 32 << 20;

export interface Waiting {
  readonly clock: Clock;
  readonly timeoutMs: number;
}

/** Retries `work` while it meets a lock, with turns of the event loop in between. */
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
      // Random, so that the same writers do not meet again.
      await clock.sleep(delay * (0.5 + Math.random()));
    }
  }
}
