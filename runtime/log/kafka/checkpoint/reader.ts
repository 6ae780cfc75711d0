// Reads the checkpoint of a query out of the offsets of its group.
import { type CommitterOptions, LogError } from "../../log.ts";
import type { Cluster } from "../net/cluster.ts";
import { errorNames } from "../protocol/errors.ts";
import { type CommittedOffset, OFFSET_FETCH, offsetsIn } from "../protocol/groups.ts";
import type { Epochs } from "../read/epochs.ts";
import { checkpointGroup, decodeMetadata, type Stored } from "./metadata.ts";
import { readState } from "./state_topic.ts";

/**
 * The checkpoint that is stored; undefined when there is none.
 *
 * An offset that was not committed by Framelane was set on purpose (a lag tool's reset):
 * the query continues there, with its id and the numbers of its batches.
 */
export async function readStored(
  cluster: Cluster,
  epochs: Epochs,
  action: string,
  options: CommitterOptions,
): Promise<Stored | undefined> {
  const { group, query, topic, partition } = options;
  const own = checkpointGroup(group, query);
  const place = `query ${query} on ${topic} partition ${partition} in group ${own}`;
  const [ours, shared] = await Promise.all([
    committedOffset(cluster, action, own, topic, partition),
    own === group ? undefined : committedOffset(cluster, action, group, topic, partition),
  ]);
  if (ours !== undefined) {
    // So that a reader that continues from there notices when these are not the same frames any more.
    epochs.observe(topic, partition, {
      epoch: ours.leaderEpoch,
      from: 0,
      to: ours.offset,
    });
  }
  const stored = ours && decodeMetadata(ours.offset, ours.metadata, place);
  const mirror = shared && decodeMetadata(shared.offset, shared.metadata, place);
  for (const found of [stored, mirror]) {
    if (
      found !== undefined && found.query !== query &&
      (own === group || group === checkpointGroup(group, found.query))
    ) {
      throw new LogError(
        "INVALID",
        `Cannot open the checkpoint of ${place}: group ${group} holds that of query ${found.query}, and a group named after a query holds no other: expected another group, e.g. one for each query`,
      );
    }
  }
  const same = mirror?.query === query ? mirror : undefined;
  const reset = ours !== undefined && stored === undefined
    ? ours
    : shared !== undefined && mirror === undefined
    ? shared
    : undefined;
  if (reset !== undefined) {
    const before = stored ?? same;
    return {
      queryId: before?.queryId ?? crypto.randomUUID(),
      query,
      offset: reset.offset,
      batchId: before?.batchId ?? -1,
      restart: reset.offset,
    };
  }
  if (stored?.stateAt !== undefined) {
    const { stateAt, ...rest } = stored;
    return { ...rest, state: await readState(cluster, action, stateAt, place) };
  }
  return stored ?? same;
}

/** What a group has committed; waits for a transaction that is still being completed. */
async function committedOffset(
  cluster: Cluster,
  action: string,
  group: string,
  topic: string,
  partition: number,
): Promise<CommittedOffset | undefined> {
  return await cluster.attempt(action, async (signal) => {
    const connection = await cluster.toCoordinator("group", group, "main", signal);
    const topics = [{ name: topic, partitions: [partition] }];
    const request = { group, topics, requireStable: true };
    const response = await connection.call(OFFSET_FETCH, request, { signal }).catch((error) => {
      // Apache Kafka answers with no offsets for a group that it has never seen, others say so.
      if (errorNames(error).includes("GROUP_ID_NOT_FOUND")) return undefined;
      throw error;
    });
    return response &&
      offsetsIn(response).find((found) =>
        found.topic === topic && found.partition === partition && found.offset >= 0
      );
  }, 1);
}
