// Owners of checkpoints: the group member that has the partition, and the transactional id's owner.
import { type CheckpointInfo, type CommitterOptions, LogError } from "../../log.ts";
import { decodeAssignment } from "../group/consumer_protocol.ts";
import type { Cluster } from "../net/cluster.ts";
import type { Connection } from "../net/connection.ts";
import { errorNames } from "../protocol/errors.ts";
import { DESCRIBE_GROUPS } from "../protocol/groups.ts";
import { DESCRIBE_TRANSACTIONS } from "../protocol/transactions.ts";
import { placeOf } from "./metadata.ts";

const CONSUMERS = "consumer";
const OLD = "The broker cannot describe transactions: expected Apache Kafka 3.0 or later";
/** Group states with known assignments. */
const SETTLED = new Set(["Stable", "Empty", "Dead"]);

export type TransactionPlace = Pick<CommitterOptions, "group" | "query" | "topic" | "partition">;

/** Unique for each group, query, topic and partition. */
export function transactionalId({ group, query, topic, partition }: TransactionPlace): string {
  const names = [group, query, topic].map(encodeURIComponent);
  return `framelane/${names.join("/")}/${partition}`;
}

export async function ownerOf(
  cluster: Cluster,
  action: string,
  { group, query, topic, partition }: CheckpointInfo,
): Promise<Pick<CheckpointInfo, "owner" | "ownerUnknown">> {
  // The runtime's group may hold several queries.
  const shared = group.endsWith(`/${query}`) ? [group.slice(0, -query.length - 1)] : [];
  for (const given of [group, ...shared]) {
    const place = { group: given, query, topic, partition };
    const known = await transactionOf(cluster, action, place);
    if (known === undefined) continue;
    if (known === "unsupported") return { ownerUnknown: OLD };
    const { member } = await membersOf(cluster, action, place);
    return { owner: { epoch: known.epoch, ...(member === undefined ? {} : { member }) } };
  }
  return {};
}

/**
 * Checks that no runtime owns the checkpoint. A runtime with `--partitions` is in no group: it is noticed only
 * while it commits a batch.
 *
 * @throws {LogError} `OWNED`
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
    ? `group ${group} is rebalancing`
    : known !== "unsupported" && known?.state === "Ongoing"
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

async function transactionOf(cluster: Cluster, action: string, place: TransactionPlace) {
  const id = transactionalId(place);
  return await cluster.attempt(action, async (signal) => {
    const connection = await cluster.toCoordinator("transaction", id, "main", signal);
    return await describeTransaction(connection, id, signal);
  });
}

/** The member that has the partition; `settled` is false during a rebalance. */
async function membersOf(
  cluster: Cluster,
  action: string,
  { group, topic, partition }: TransactionPlace,
): Promise<{ readonly member?: string | undefined; readonly settled: boolean }> {
  const body = { groups: [group], includeAuthorizedOperations: false };
  return await cluster.attempt(action, async (signal) => {
    const response = await cluster.callGroup(group, DESCRIBE_GROUPS, body, { signal });
    const [described] = response.groups;
    if (described?.protocolType !== CONSUMERS) return { settled: true };
    const member = described.members.find(({ assignment }) =>
      decodeAssignment(assignment).get(topic)?.includes(partition)
    )?.memberId;
    return { member, settled: SETTLED.has(described.state) };
  });
}

/** Undefined if the broker does not know the id. */
export async function describeTransaction(
  connection: Connection,
  transactionalId: string,
  signal: AbortSignal,
) {
  if (!connection.versions.has(DESCRIBE_TRANSACTIONS)) return "unsupported";
  try {
    const { transactions } = await connection.call(
      DESCRIBE_TRANSACTIONS,
      { transactionalIds: [transactionalId] },
      { signal },
    );
    return transactions[0];
  } catch (error) {
    // Kafka forgets ids that are not used for a week.
    if (errorNames(error).includes("TRANSACTIONAL_ID_NOT_FOUND")) return undefined;
    throw error;
  }
}
