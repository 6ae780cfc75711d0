// Reads a query's checkpoint from the offsets of its group.
import { type CommitterOptions, LogError } from "../../log.ts";
import type { Cluster } from "../net/cluster.ts";
import { errorNames } from "../protocol/errors.ts";
import { type CommittedOffset, OFFSET_FETCH } from "../protocol/groups.ts";
import type { Epochs } from "../read/epochs.ts";
import { checkpointGroup, decodeMetadata, type Stored } from "./metadata.ts";
import { readState } from "./state_topic.ts";

/**
 * The stored checkpoint. An offset that another program committed is a reset: the query continues there, with
 * its id and batch numbers.
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
  const ourOffset = async (group: string) => {
    const place = [{ name: topic, partitions: [partition] }];
    return (await committedOffsets(cluster, action, group, place)).find((found) =>
      found.topic === topic && found.partition === partition && found.offset >= 0
    );
  };
  const [ours, shared] = await Promise.all([
    ourOffset(own),
    own === group ? undefined : ourOffset(group),
  ]);
  if (ours !== undefined) {
    // Lets a reader that continues there detect a truncated log.
    epochs.observe(topic, partition, { epoch: ours.leaderEpoch, from: 0, to: ours.offset });
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
        `Cannot open the checkpoint of ${place}: group ${group} is named after query ${found.query} and holds its checkpoint: expected another group`,
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

/**
 * Offsets that a group has committed.
 *
 * @param topics waits for transactions of these that are being completed; null for all, without waiting
 */
export async function committedOffsets(
  cluster: Cluster,
  action: string,
  group: string,
  topics: readonly { readonly name: string; readonly partitions: readonly number[] }[] | null,
): Promise<CommittedOffset[]> {
  const body = { group, topics, requireStable: topics !== null };
  return await cluster.attempt(action, async (signal) => {
    try {
      const found = await cluster.callGroup(group, OFFSET_FETCH, body, { signal });
      return found.topics.flatMap(({ name, partitions }) =>
        partitions.map((one) => ({ topic: name, ...one }))
      );
    } catch (error) {
      // Apache Kafka returns no offsets for unknown groups, other brokers this error.
      if (errorNames(error).includes("GROUP_ID_NOT_FOUND")) return [];
      throw error;
    }
  }, 1);
}
