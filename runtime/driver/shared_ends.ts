/**
 * Where partitions end that queries with an end share with other runtimes: one that dies leaves
 * partitions behind, which come to the others when its session times out.
 *
 * @module
 */
import type { QuerySpec } from "../executor/protocol.ts";
import type { TopicLog } from "../log/log.ts";

/** The ends of a topic's partitions, as they were at the start. */
export class SharedEnds {
  readonly #log: TopicLog;
  readonly #topic: string;
  readonly #ends = new Map<QuerySpec, readonly number[]>();

  constructor(log: TopicLog, topic: string) {
    this.#log = log;
    this.#topic = topic;
  }

  /** Notes the ends for a query that shares all partitions. */
  async note(spec: QuerySpec, partitions: number): Promise<void> {
    const ends = await Promise.all(
      Array.from(
        { length: partitions },
        (_, partition) => this.#log.offsets(this.#topic, partition),
      ),
    );
    this.#ends.set(spec, ends.map(({ latest }) => latest));
  }

  /**
   * Whether some query is behind on a partition that another member of its group has.
   *
   * @param done whether this runtime has brought the query to its end there
   */
  async othersBehind(done: (query: string, partition: number) => boolean): Promise<boolean> {
    for (const [{ group, name }, ends] of this.#ends) {
      const known = await this.#log.checkpoints({ group, query: name, topic: this.#topic });
      for (const [partition, end] of ends.entries()) {
        if (end === 0 || done(name, partition)) continue;
        const reached = known.find((one) => one.partition === partition)?.committed?.end ?? 0;
        if (reached < end) return true;
      }
    }
    return false;
  }
}
