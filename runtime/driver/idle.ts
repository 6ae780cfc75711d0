// Reports idle streaming queries to listeners.
import type { Clock } from "../base/clock.ts";
import { pause } from "../base/wait.ts";
import type { StreamingQueryManager } from "./manager.ts";
import type { StreamingQuery } from "./streaming_query.ts";

/**
 * A query without a batch for this long is idle, and reported after each such period, milliseconds.
 */
const IDLE_MS = 10_000;

/** Calls `onQueryIdle` for each idle query, until the signal aborts. */
export async function reportIdle(
  streams: StreamingQueryManager,
  clock: Clock,
  signal: AbortSignal,
): Promise<void> {
  /** When each query was last reported, or first seen. */
  const reported = new Map<StreamingQuery, number>();
  for (;;) {
    const now = clock.monotonic();
    let next = now + IDLE_MS;
    const running = streams.active.filter(({ state }) => state === "running");
    for (const query of reported.keys()) if (!running.includes(query)) reported.delete(query);
    for (const query of running) {
      if (!reported.has(query)) reported.set(query, now);
      const due = Math.max(reported.get(query)!, query.reportedAt) + IDLE_MS;
      if (due > now) next = Math.min(next, due);
      else {
        reported.set(query, now);
        const { id, runId } = query;
        streams.notify("onQueryIdle", {
          id,
          runId,
          timestamp: new Date(clock.now()).toISOString(),
        });
      }
    }
    if (!await pause(Math.max(1, next - now), signal, clock)) return;
  }
}
