// Which partitions a Kafka node leads or follows, and when the cluster does without it.
import { Connection } from "../../runtime/log/kafka/net/connection.ts";
import { ResponseError } from "../../runtime/log/kafka/protocol/errors.ts";
import { METADATA, type Metadata, NO_ID } from "../../runtime/log/kafka/protocol/topics.ts";

export const [FRAMES, OUT, PEER] = ["frames", "out", "peer"] as const;
const [OFFSETS, TRANSACTIONS] = ["__consumer_offsets", "__transaction_state"] as const;

/** What a node does for partitions, by `topic/partition`. */
export type Roles = ReadonlyMap<string, "leads" | "follows">;

/** A partition as a broker sees it. */
interface Seen {
  readonly place: string;
  readonly leaderId: number;
  readonly replicas: readonly number[];
  readonly inSyncReplicas: readonly number[];
}

/** The partitions that a stream's partition needs. */
export function needsOf(stream: string, partition: number): string[] {
  if (stream === "librdkafka") return [`${PEER}/${partition}`];
  if (stream === "camera") return [`${FRAMES}/${partition}`];
  return [`${FRAMES}/${partition}`, `${OUT}/${partition}`, `${OFFSETS}/0`, `${TRANSACTIONS}/0`];
}

/** Whether the node leads or coordinates what a stream's partition needs. */
export function isStruck(roles: Roles, stream: string, partition: number): boolean {
  return needsOf(stream, partition).some((need) => roles.get(need) === "leads");
}

/** All partitions of the trial, as the broker of a connection sees them. */
export async function partitionsSeen(connection: Connection): Promise<Seen[]> {
  const names = [FRAMES, OUT, PEER, OFFSETS, TRANSACTIONS];
  const asked = connection.call(METADATA, {
    topics: names.map((name) => ({ topicId: NO_ID, name })),
    allowAutoTopicCreation: false,
    includeClusterAuthorizedOperations: false,
    includeTopicAuthorizedOperations: false,
  });
  const { topics } = await asked.catch((error: unknown) => {
    // Partitions without a leader.
    if (error instanceof ResponseError) return error.response as Metadata;
    throw error;
  });
  return topics.flatMap(({ name, partitions }) =>
    partitions.map((one) => ({ ...one, place: `${name}/${one.partition}` }))
  );
}

/** What the node with this id does. */
export function rolesOf(id: number, seen: readonly Seen[]): Roles {
  return new Map(
    seen.filter(({ replicas }) => replicas.includes(id))
      .map(({ place, leaderId }) => [place, leaderId === id ? "leads" : "follows"]),
  );
}

/**
 * When the partitions did without the node, as another one sees it: milliseconds from now.
 *
 * @param witness address of the other node.
 * @param signal ends the watch.
 */
export async function failoverTimes(
  witness: string,
  id: number,
  roles: Roles,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, number>> {
  const begun = performance.now();
  const times = new Map<string, number>();
  const [host, port] = witness.split(":");
  const connection = await Connection.open({ host: host!, port: Number(port) }, {
    ...{ connectTimeoutMs: 5_000, requestTimeoutMs: 60_000, signal, onEnd: () => {} },
  });
  while (!signal.aborted && times.size < roles.size) {
    for (const { place, leaderId, inSyncReplicas } of await partitionsSeen(connection)) {
      const without = leaderId >= 0 && leaderId !== id && !inSyncReplicas.includes(id);
      if (roles.has(place) && without && !times.has(place)) {
        times.set(place, performance.now() - begun);
      }
    }
    await new Promise((next) => setTimeout(next, 50));
  }
  await connection.close();
  return times;
}
