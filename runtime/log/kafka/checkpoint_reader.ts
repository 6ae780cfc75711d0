/**
 * Reads the checkpoint of a query out of the offsets of its group.
 *
 * @module
 */
import type { CommitterOptions } from "../log.ts";
import { checkpointGroup, decodeMetadata, type Stored } from "./checkpoint.ts";
import type { Cluster } from "./cluster.ts";
import { type CommittedOffset, fetchOffsets } from "./requests/groups.ts";
import { readState } from "./state_topic.ts";

/**
 * The checkpoint that is stored; undefined when there is none.
 *
 * An offset that was not committed by Framelane was set by somebody on purpose (a lag tool's reset):
 * the query goes on there, with its id and the numbers of its batches.
 */
export async function readStored(
  cluster: Cluster,
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
    // So that whoever reads on from there finds out when these are not the same frames any more.
    cluster.epochs.observe(topic, partition, {
      epoch: ours.leaderEpoch,
      from: 0,
      to: ours.offset,
    });
  }
  const stored = ours && decodeMetadata(ours.offset, ours.metadata, place);
  const mirror = shared && decodeMetadata(shared.offset, shared.metadata, place);
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
  return await cluster.attempt(action, async () => {
    const broker = await cluster.coordinator("group", group);
    const connection = await cluster.connections.get(broker, "main");
    const [found] = await fetchOffsets(connection, group, { topic, partition }, true);
    return found === undefined || found.offset < 0 ? undefined : found;
  }, { firstDelayMs: 1 });
}
