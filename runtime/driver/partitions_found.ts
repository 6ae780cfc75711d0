/**
 * Which partitions were created after a query had begun. They are read from their start, as Spark
 * does: what a camera published before it was noticed is not skipped.
 *
 * @module
 */
import { retry } from "../base/wait.ts";
import type { QuerySpec } from "../executor/protocol.ts";
import type { TopicLog } from "../log/log.ts";

/** What is known when a runtime starts. */
export class PartitionsFound {
  readonly #count: number;
  /** Partitions with a checkpoint, of queries that have committed before. */
  readonly #known: ReadonlyMap<QuerySpec, ReadonlySet<number>>;

  private constructor(count: number, known: ReadonlyMap<QuerySpec, ReadonlySet<number>>) {
    this.#count = count;
    this.#known = known;
  }

  /** Looks before any query begins, and so before one of them has left a checkpoint. */
  static async before(
    { log, topic, queries, partitions = "all" }: {
      readonly log: TopicLog;
      readonly topic: string;
      readonly queries: readonly QuerySpec[];
      readonly partitions?: "all" | readonly number[];
    },
    signal: AbortSignal,
  ): Promise<PartitionsFound> {
    const known = new Map<QuerySpec, ReadonlySet<number>>();
    const count = await retry(() => log.partitionCount(topic), { signal });
    for (const spec of queries) {
      // Partitions that are named begin where the query says.
      if ((spec.partitions ?? partitions) !== "all") continue;
      const { group, name: query } = spec;
      const all = await retry(() => log.checkpoints({ group, query, topic }), { signal });
      if (all.every(({ committed }) => committed === undefined)) continue;
      known.set(spec, new Set(all.map(({ partition }) => partition)));
    }
    return new PartitionsFound(count, known);
  }

  /** Whether the partition was created after the query had begun, here or in an earlier run. */
  later(spec: QuerySpec, partition: number): boolean {
    return partition >= this.#count || this.#known.get(spec)?.has(partition) === false;
  }
}
