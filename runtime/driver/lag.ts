// How far a query is behind the log, even while it is down and reports nothing.
import type { Clock } from "../base/clock.ts";
import { withDeadline } from "../base/wait.ts";
import { lagOf } from "../definition/progress.ts";
import { framesBetween } from "../log/last_frames.ts";
import type { TopicLog } from "../log/log.ts";
import type { StreamingQuery } from "./streaming_query.ts";

/** A report older than this is outdated, milliseconds. */
export const STALE_MS = 3_000;
/** Minimum interval between requests to the log, and the longest wait for its answer, milliseconds. */
const MEASURE_MS = 1_000;
const ANSWER_MS = 2_000;

interface Behind {
  readonly earliest: number;
  readonly from: number;
  readonly to: number;
  readonly frames: number;
}

/** Lag as reported while a query works; else from the end of the log and its next offset. */
export class LagMeter {
  readonly #log: Pick<TopicLog, "offsets" | "reader">;
  readonly #clock: Clock;
  /** Of each query that did not report when the log was last asked. */
  readonly #behind = new WeakMap<StreamingQuery, Behind>();
  #measuring: Promise<void> | undefined;
  #measuredAt = -Infinity;

  constructor(log: Pick<TopicLog, "offsets" | "reader">, clock: Clock) {
    this.#log = log;
    this.#clock = clock;
  }

  /** Frames in the log that the query has not read; as of the last `measure` if it does not report. */
  of(query: StreamingQuery): number {
    const source = query.lastProgress?.sources[0];
    const { topic, partition } = query;
    const reported = source === undefined ? 0 : lagOf(source, topic, partition);
    if (this.#reports(query)) return reported;
    const behind = this.#behind.get(query);
    if (behind === undefined) return reported;
    const from = startOf(query, behind.earliest);
    return from === behind.from ? behind.frames : Math.max(0, behind.to - from);
  }

  /** Asks the log about queries that do not report. An unreachable log changes nothing. */
  measure(queries: readonly StreamingQuery[]): Promise<void> {
    if (this.#clock.monotonic() - this.#measuredAt < MEASURE_MS) {
      return this.#measuring ?? Promise.resolve();
    }
    return this.#measuring ??= this.#measure(queries.filter((query) => !this.#reports(query)))
      .finally(() => {
        this.#measuring = undefined;
        this.#measuredAt = this.#clock.monotonic();
      });
  }

  async #measure(queries: readonly StreamingQuery[]): Promise<void> {
    const clock = this.#clock;
    await Promise.all(queries.map(async (query) => {
      try {
        const ask = (signal: AbortSignal) => this.#ask(query, signal);
        await withDeadline("Measuring lag", ANSWER_MS, ask, { clock });
      } catch {
        // Keep the old lag; readiness and the lanes report that the log is unreachable.
      }
    }));
  }

  async #ask(query: StreamingQuery, signal: AbortSignal): Promise<void> {
    const { topic, partition } = query;
    const { earliest, latest: to } = await this.#log.offsets(topic, partition);
    const from = startOf(query, earliest);
    const before = this.#behind.get(query);
    if (before?.from === from && before.to === to) return;
    const frames = await framesBetween(this.#log, topic, partition, { from, to }, signal);
    this.#behind.set(query, { earliest, from, to, frames });
  }

  /** Milliseconds since a query's last report. */
  age({ reportedAt }: StreamingQuery): number {
    return this.#clock.monotonic() - reportedAt;
  }

  #reports(query: StreamingQuery): boolean {
    return query.state === "running" && this.age(query) < STALE_MS;
  }
}

/** Where a query continues; at the start of the log until that is known. */
function startOf({ position }: StreamingQuery, earliest: number): number {
  return Math.max(position ?? earliest, earliest);
}
