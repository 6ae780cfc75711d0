// Reads a query's checkpoint from the offsets of its group.
import { type CommitterOptions, LogError } from "../../log.ts";
import type { Cluster } from "../net/cluster.ts";
import { errorNames } from "../protocol/errors.ts";
import { type CommittedOffset, OFFSET_FETCH, offsetsIn } from "../protocol/groups.ts";
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
  const [ours, shared] = await Promise.all([
    committedOffset(cluster, action, own, topic, partition),
    own === group ? undefined : committedOffset(cluster, action, group, topic, partition),
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

/** Waits for a transaction that is being completed. */
async function committedOffset(
  cluster: Cluster,
  action: string,
  group: string,
  topic: string,
  partition: number,
): Promise<CommittedOffset | undefined> {
  const topics = [{ name: topic, partitions: [partition] }];
  const body = { group, topics, requireStable: true };
  const response = await cluster.attempt(
    action,
    (signal) =>
      cluster.callGroup(group, OFFSET_FETCH, body, signal).catch((error) => {
        // Apache Kafka returns no offsets for unknown groups, other brokers this error.
        if (errorNames(error).includes("GROUP_ID_NOT_FOUND")) return undefined;
        throw error;
      }),
    1,
  );
  return response &&
    offsetsIn(response).find((found) =>
      found.topic === topic && found.partition === partition && found.offset >= 0
    );
}
