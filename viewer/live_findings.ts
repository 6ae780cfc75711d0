// What queries of other processes find in a partition's frames, as they commit it: for a wall that sees the log alone.
import type { Clock } from "../runtime/base/clock.ts";
import type { Findings } from "../runtime/definition/places.ts";
import type { Lane } from "../runtime/lanes.ts";
import { findingsTopic } from "../runtime/sinks/findings.ts";
import type { LogReads } from "./log_reads.ts";
import { objectsFirst, parseResult } from "./past_findings.ts";

/** How often a topic that does not exist yet is looked for, milliseconds. */
const LOOK_MS = 2_000;
/** Queries commit once a second: what is older than this was found in another scene, milliseconds. */
const RECENT_MS = 3_000;
/** Records that are read at a time. */
const BATCH = 128;

/** The newest results of one partition. */
export class LiveFindings {
  readonly #byQuery = new Map<string, Findings>();

  /** What was found last before a picture of that capture time, if it is recent: objects first. */
  before(timestamp: number): Findings | undefined {
    return objectsFirst(
      [...this.#byQuery.values()].filter(({ window }) =>
        window !== undefined && Math.abs(timestamp - window.lastTimestamp) <= RECENT_MS
      ),
    );
  }

  /** Takes results as they come, until the signal aborts; `onRead` is called whenever the log has answered. */
  async follow(
    reads: LogReads,
    { topic, partition }: Pick<Lane, "topic" | "partition">,
    clock: Clock,
    signal: AbortSignal,
    onRead: () => void,
  ): Promise<void> {
    const found = findingsTopic(topic);
    while (await reads.log.partitionCount(found) <= partition) await clock.sleep(LOOK_MS, signal);
    const { latest } = await reads.log.offsets(found, partition);
    const reader = await reads.open(found, partition, latest);
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
