// Telling listeners of streaming queries that have had nothing to do for a while.
import type { Clock } from "../base/clock.ts";
import type { StreamingQueryManager } from "./manager.ts";
import type { StreamingQuery } from "./streaming_query.ts";

/** A query without a batch for this long is idle, and reported again after each period, milliseconds. */
const IDLE_MS = 10_000;

/** Calls `onQueryIdle` for each query every 10 s in which it had no batch, until the signal aborts. */
export async function tellIdle(
  streams: StreamingQueryManager,
  clock: Clock,
  signal: AbortSignal,
): Promise<void> {
  /** When each query was last reported, or first seen. */
  const told = new Map<StreamingQuery, number>();
  for (;;) {
    const now = clock.now();
    let next = now + IDLE_MS;
    const { active } = streams;
    for (const query of told.keys()) if (!active.includes(query)) told.delete(query);
    for (const query of active) {
      if (query.state !== "running") {
        told.delete(query);
        continue;
      }
      if (!told.has(query)) told.set(query, now);
      const due = Math.max(told.get(query)!, query.lastCommit ?? 0) + IDLE_MS;
      if (due > now) next = Math.min(next, due);
      else {
        told.set(query, now);
        const { id, runId } = query;
        streams.tell("onQueryIdle", { id, runId, timestamp: new Date(now).toISOString() });
      }
    }
    try {
      await clock.sleep(Math.max(1, next - now), signal);
    } catch {
      return; // The driver stops.
    }
  }
}
