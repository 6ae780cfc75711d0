// Which partitions were created after a query had begun. As in Spark they are read from their
// start.
import { retry } from "../base/wait.ts";
import type { QuerySpec } from "../executor/protocol.ts";
import type { TopicLog } from "../log/log.ts";

/**
 * Call before the query starts, and so before it writes a checkpoint.
 *
 * @param count number of partitions of its topic
 * @returns whether a partition was created after the query first started, in this or an earlier run
 */
export async function foundLater(
  log: Pick<TopicLog, "checkpoints">,
  { name: query, group, topic, partitions = "all" }: QuerySpec,
  count: number,
  signal: AbortSignal,
): Promise<(partition: number) => boolean> {
  // Named partitions start where the query says.
  if (partitions !== "all") return () => false;
  const all = await retry(() => log.checkpoints({ group, query, topic }), { signal });
  const begun = all.some(({ committed }) => committed !== undefined);
  const known = new Set(all.map(({ partition }) => partition));
  return (partition) => partition >= count || begun && !known.has(partition);
}
