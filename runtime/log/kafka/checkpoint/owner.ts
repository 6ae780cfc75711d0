/**
 * Who owns a checkpoint: the member of the group that has the partition, and the transactional id's
 * last owner.
 *
 * @module
 */
import { type CheckpointInfo, LogError } from "../../log.ts";
import { decodeAssignment } from "../group/consumer_protocol.ts";
import type { Cluster } from "../net/cluster.ts";
import { DESCRIBE_GROUPS } from "../protocol/groups.ts";
import { placeOf } from "./plan.ts";
import { describeTransaction, transactionalId, type TransactionPlace } from "./transactional_id.ts";

const CONSUMERS = "consumer";
/** States of a group in which it is known who has which partition. */
const SETTLED = new Set(["Stable", "Empty", "Dead"]);

/** The owner of the transactional id, and the member of the group that has the partition. */
export async function ownerOf(
  cluster: Cluster,
  action: string,
  { group, query, topic, partition }: CheckpointInfo,
): Promise<CheckpointInfo["owner"]> {
  // The group that the runtime was given: it may hold several queries.
  const shared = group.endsWith(`/${query}`) ? [group.slice(0, -query.length - 1)] : [];
  for (const given of [group, ...shared]) {
    const place = { group: given, query, topic, partition };
    const known = await transactionOf(cluster, action, place);
    if (known === undefined) continue;
    const { member } = await membersOf(cluster, action, place);
    return { epoch: known.epoch, ...(member === undefined ? {} : { member }) };
  }
}

/**
 * Checks that no runtime owns the checkpoint. Kafka knows the members of groups and open transactions: an owner
 * whose partitions were named by hand is seen only while one of its batches is being committed.
 *
 * @throws {LogError} `OWNED`.
 */
export async function checkUnowned(
  cluster: Cluster,
  action: string,
  place: TransactionPlace,
): Promise<void> {
  const { group } = place;
  const [{ member, settled }, known] = await Promise.all([
    membersOf(cluster, action, place),
    transactionOf(cluster, action, place),
  ]);
  const owner = member !== undefined
    ? `member ${member} of group ${group} has the partition`
    : !settled
    ? `group ${group} is sharing out its partitions`
    : known?.state === "Ongoing"
    ? "a transaction of its owner is open"
    : undefined;
  if (owner === undefined) return;
  throw new LogError(
    "OWNED",
    `Cannot take over the checkpoint of ${
      placeOf(place)
    }: ${owner}; stop the runtime that owns it first`,
  );
}

/** How things stand with the place's transactional id. */
async function transactionOf(cluster: Cluster, action: string, place: TransactionPlace) {
  const id = transactionalId(place);
  return await cluster.attempt(action, async (signal) => {
    const connection = await cluster.toCoordinator("transaction", id, "main", signal);
    return await describeTransaction(connection, id, signal);
  });
}

/** The group's member that has the partition; `settled` is false while the group shares partitions out. */
async function membersOf(
  cluster: Cluster,
  action: string,
  { group, topic, partition }: TransactionPlace,
): Promise<{ readonly member?: string; readonly settled: boolean }> {
  return await cluster.attempt(action, async (signal) => {
    const connection = await cluster.toCoordinator("group", group, "main", signal);
    const { groups: [described] } = await connection.call(
      DESCRIBE_GROUPS,
      { groups: [group], includeAuthorizedOperations: false },
      { signal },
    );
    if (described?.protocolType !== CONSUMERS) return { settled: true };
    const member = described.members.find(({ assignment }) =>
      decodeAssignment(assignment).get(topic)?.includes(partition)
    )?.memberId;
    return { ...(member === undefined ? {} : { member }), settled: SETTLED.has(described.state) };
  });
}
