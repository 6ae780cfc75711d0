/**
 * How far a query is behind the log, also while it is down and reports nothing.
 *
 * @module
 */
import type { Clock } from "../base/clock.ts";
import { withDeadline } from "../base/wait.ts";
import { lagOf } from "../definition/progress.ts";
import type { OffsetRange, TopicLog } from "../log/log.ts";
import type { StreamingQuery } from "./streaming_query.ts";

/** A report older than this says nothing about now, milliseconds. */
export const STALE_MS = 3_000;
/** The log is asked at most this often, and for at most this long, milliseconds. */
const MEASURE_MS = 1_000;
const ANSWER_MS = 2_000;

/** Measures lag: reported while a query works, from the log's end and its next offset while it does not. */
export class LagMeter {
  readonly #log: Pick<TopicLog, "offsets">;
  readonly #clock: Clock;
  /** What the log held of each partition when it was last asked. */
  readonly #ranges = new Map<string, OffsetRange>();
  #measuring: Promise<void> | undefined;
  #measuredAt = -Infinity;

  constructor(log: Pick<TopicLog, "offsets">, clock: Clock) {
    this.#log = log;
    this.#clock = clock;
  }

  /** Frames in the log that the query has not read; as of the last `measure` where it reports nothing. */
  of(query: StreamingQuery): number {
    const source = query.lastProgress?.sources[0];
    const { topic, partition, position } = query;
    const reported = source === undefined ? 0 : lagOf(source, topic, partition);
    if (this.#reports(query)) return reported;
    const range = this.#ranges.get(key(query));
    if (range === undefined) return reported;
    // Before it knows where it is, all that the log holds may be to be read.
    return Math.max(0, range.latest - Math.max(position ?? range.earliest, range.earliest));
  }

  /** Asks the log about the queries that do not report. A log that is away changes nothing. */
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
    const partitions = new Map(queries.map((query) => [key(query), query]));
    await Promise.all([...partitions].map(async ([name, { topic, partition }]) => {
      try {
        const range = await withDeadline(
          "Asking for offsets",
          ANSWER_MS,
          () => this.#log.offsets(topic, partition),
          { clock: this.#clock },
        );
        this.#ranges.set(name, range);
      } catch {
        // The lag stays what it was; readiness and the lanes say that the log is away.
      }
    }));
  }

  #reports({ state, lastCommit }: StreamingQuery): boolean {
    return state === "running" && lastCommit !== undefined &&
      this.#clock.now() - lastCommit < STALE_MS;
  }
}

function key({ topic, partition }: StreamingQuery): string {
  return `${partition} ${topic}`;
}
