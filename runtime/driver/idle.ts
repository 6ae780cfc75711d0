/**
 * Telling listeners of streaming queries that have had nothing to do for a while.
 *
 * @module
 */
import type { Clock } from "../base/clock.ts";
import type { StreamingQueryManager } from "./manager.ts";

/** A query without a batch for so long is idle; it is told again and again. Milliseconds. */
const IDLE_MS = 10_000;

/** Calls `onQueryIdle` for each idle query until the signal aborts. */
export async function tellIdle(
  streams: StreamingQueryManager,
  clock: Clock,
  signal: AbortSignal,
): Promise<void> {
  for (;;) {
    try {
      await clock.sleep(IDLE_MS, signal);
    } catch {
      // The driver stops.
      return;
    }
    const now = clock.now();
    for (const { id, runId, state, lastCommit } of streams.active) {
      if (state !== "running" || now - (lastCommit ?? 0) < IDLE_MS) continue;
      streams.tell("onQueryIdle", { id, runId, timestamp: new Date(now).toISOString() });
    }
  }
}
