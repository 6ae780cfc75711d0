// Results of other processes' queries as they commit them, for a wall that sees only the log.
import type { Clock } from "../runtime/base/clock.ts";
import type { Findings } from "../runtime/definition/places.ts";
import type { Lane } from "../runtime/lanes.ts";
import { findingsTopic } from "../runtime/sinks/findings.ts";
import type { LogReads } from "./log_reads.ts";
import { objectsFirst, parseResult } from "./past_findings.ts";

/** Interval of checks for a missing topic, milliseconds. */
const LOOK_MS = 2_000;
/** Queries commit once a second: older results belong to another scene, milliseconds. */
const RECENT_MS = 3_000;
const BATCH = 128;

/** The newest results of one partition. */
export class LiveFindings {
  readonly #byQuery = new Map<string, Findings>();

  /** The most recent results for a picture's capture time, if recent enough: objects first. */
  before(timestamp: number): Findings | undefined {
    return objectsFirst(
      [...this.#byQuery.values()].filter(({ window }) =>
        window !== undefined && Math.abs(timestamp - window.lastTimestamp) <= RECENT_MS
      ),
    );
  }

  /** Follows results until the signal aborts; calls `onRead` whenever the log has answered. */
  async follow(
    reads: LogReads,
    { topic, partition }: Pick<Lane, "topic" | "partition">,
    clock: Clock,
    signal: AbortSignal,
    onRead: () => void,
  ): Promise<void> {
    const found = { topic: findingsTopic(topic), partition };
    while (await reads.log.partitionCount(found.topic) <= partition) {
      await clock.sleep(LOOK_MS, signal);
    }
    const reader = await reads.open(found, (await reads.offsets(found)).latest);
    try {
      while (!signal.aborted) {
        const records = await reader.read(BATCH, signal);
        onRead();
        for (const { value } of records) {
          const result = parseResult(value);
          if (result?.query !== undefined) this.#byQuery.set(result.query, result);
        }
      }
    } finally {
      await reader.close();
    }
  }
}
