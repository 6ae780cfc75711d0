// Topics and offsets.
import { checkTopic } from "../../checks.ts";
import type { OffsetRange } from "../../log.ts";
import { type Cluster, leaderNotAvailable } from "../net/cluster.ts";
import type { Connection } from "../net/connection.ts";
import { errorNames } from "../protocol/errors.ts";
import {
  CREATE_PARTITIONS,
  CREATE_TOPICS,
  DEFAULT_REPLICATION_SINCE,
  LIST_OFFSETS,
  NO_REPLICA,
  READ_COMMITTED,
} from "../protocol/topics.ts";

/** Special timestamps of ListOffsets. */
const LATEST = -1;
const EARLIEST = -2;

const LARGE = { "max.message.bytes": String(16 * 1024 * 1024) };
/** For cameras whose clock is ahead: brokers since 3.6 allow one hour by default. */
const ANY_CLOCK = { "message.timestamp.after.max.ms": String(2n ** 63n - 1n) };
/**
 * Configurations for a new topic, tried until the broker accepts one: brokers before 3.6 have no limit
 * for timestamps, and the cluster's policy may allow 8 MiB or only its defaults.
 */
const CONFIGURATIONS: readonly Readonly<Record<string, string>>[] = [
  { ...LARGE, ...ANY_CLOCK },
  LARGE,
  { "max.message.bytes": String(8 * 1024 * 1024) },
  {},
];
const REFUSED = new Set(["INVALID_CONFIG", "POLICY_VIOLATION", "INVALID_REQUEST"]);

/** Sorted, without internal topics. */
export async function listTopics(cluster: Cluster): Promise<string[]> {
  const names = await cluster.attempt("Cannot list topics", (signal) => cluster.topicNames(signal));
  return names.filter((name) => !name.startsWith("__")).sort();
}

/** From fresh metadata; 0 if the topic does not exist. */
export async function countPartitions(cluster: Cluster, topic: string): Promise<number> {
  const metadata = await cluster.attempt(
    `Cannot count the partitions of ${topic}`,
    (signal) => cluster.topic(topic, signal, true),
  );
  return metadata?.leaders.length ?? 0;
}

/**
 * Ensures that a topic has at least this many partitions.
 *
 * @throws {LogError} `INVALID`
 */
export async function ensureTopic(
  cluster: Cluster,
  topic: string,
  partitions: number,
  configuration: Readonly<Record<string, string>> = {},
): Promise<number> {
  checkTopic(topic, partitions);
  let changed = false;
  return await cluster.attempt(`Cannot create topic ${topic}`, async (signal) => {
    const leaders = (await cluster.topic(topic, signal, true))?.leaders ?? [];
    if (leaders.length < partitions) {
      const controller = await cluster.controller(signal);
      try {
        await (leaders.length === 0 ? create(controller, signal) : grow(controller, signal));
      } catch (error) {
        const faster = leaders.length === 0 ? "TOPIC_ALREADY_EXISTS" : "INVALID_PARTITIONS";
        if (!errorNames(error).includes(faster)) throw error;
        // Another client was faster.
      }
      changed = true;
    } else if (!changed || leaders.every(({ leaderId }) => leaderId >= 0)) {
      return leaders.length;
    }
    // The next try checks the result: another client may have created it with fewer partitions.
    throw leaderNotAvailable(topic);
  });

  function grow(controller: Connection, signal: AbortSignal): Promise<unknown> {
    return controller.call(CREATE_PARTITIONS, {
      topics: [{ name: topic, count: partitions, assignments: null }],
      timeoutMs: cluster.replicationTimeoutMs,
      validateOnly: false,
    }, { signal });
  }

  async function create(controller: Connection, signal: AbortSignal): Promise<void> {
    const defaults = controller.versions.call(CREATE_TOPICS).version >= DEFAULT_REPLICATION_SINCE;
    const replicationFactor = defaults ? -1 : Math.min(3, (await cluster.brokers(signal)).length);
    for (const [i, ours] of CONFIGURATIONS.entries()) {
      const configs = Object.entries({ ...ours, ...configuration })
        .map(([name, value]) => ({ name, value }));
      try {
        await controller.call(CREATE_TOPICS, {
          topics: [{ name: topic, partitions, replicationFactor, assignments: [], configs }],
          timeoutMs: cluster.replicationTimeoutMs,
          validateOnly: false,
        }, { signal });
        return;
      } catch (error) {
        const refused = errorNames(error).some((name) => REFUSED.has(name));
        if (!refused || i === CONFIGURATIONS.length - 1) throw error;
      }
    }
  }
}

/** The first offset, and one past the last committed offset. */
export async function offsetRange(
  cluster: Cluster,
  topic: string,
  partition: number,
): Promise<OffsetRange> {
  const [earliest, latest] = await Promise.all([
    findOffset(cluster, topic, partition, EARLIEST),
    findOffset(cluster, topic, partition, LATEST),
  ]);
  return { earliest, latest: Math.max(earliest, latest) };
}

/** The first offset with a timestamp at or after `timestamp`, or the latest. */
export async function offsetAt(
  cluster: Cluster,
  topic: string,
  partition: number,
  timestamp: number,
): Promise<number> {
  const time = Math.min(Math.max(0, Math.ceil(timestamp)), Number.MAX_SAFE_INTEGER);
  const found = await findOffset(cluster, topic, partition, time);
  return found >= 0 ? found : (await offsetRange(cluster, topic, partition)).latest;
}

async function findOffset(
  cluster: Cluster,
  topic: string,
  partition: number,
  timestamp: number,
): Promise<number> {
  return await cluster.attempt(
    `Cannot find an offset of ${topic} partition ${partition}`,
    async (signal) => {
      const { broker, epoch } = await cluster.leader(topic, partition, signal);
      const connection = await cluster.connections.get(broker, "main", signal);
      const { topics } = await connection.call(LIST_OFFSETS, {
        replicaId: NO_REPLICA,
        isolationLevel: READ_COMMITTED,
        topics: [{ name: topic, partitions: [{ partition, leaderEpoch: epoch, timestamp }] }],
      }, { signal });
      const found = topics.find(({ name }) => name === topic)?.partitions
        .find((one) => one.partition === partition)?.offset ?? -1;
      if (found < 0 && timestamp < 0) {
        throw connection.malformed(`ListOffsets has no offset of ${topic}/${partition}`);
      }
      return found;
    },
  );
}
