/**
 * Topics and offsets.
 *
 * @module
 */
import { LogError, type OffsetRange } from "../log.ts";
import { type Cluster } from "./cluster.ts";
import { protocolErrors } from "./failures.ts";
import { createPartitions, createTopic, listOffset } from "./requests/cluster.ts";

/** Kafka's own words for the ends of a partition. */
const LATEST = -1;
const EARLIEST = -2;

/** Frames may be large: a topic of ours takes them whatever the brokers' own limit is. */
const TOPIC_CONFIGURATION = { "max.message.bytes": String(16 * 1024 * 1024) };
/** A camera whose clock is ahead still is a camera: brokers refuse more than an hour unless told. */
const ANY_CLOCK = { "message.timestamp.after.max.ms": String(2n ** 63n - 1n) };

/** Names of topics, sorted, without Kafka's and Framelane's internal ones. */
export async function listTopics(cluster: Cluster): Promise<string[]> {
  const names = await cluster.attempt("Cannot list topics", () => cluster.topicNames());
  return names.filter((name) => !name.startsWith("__")).sort();
}

/** Number of partitions, asked of the cluster now; 0 when there is no such topic. */
export async function countPartitions(cluster: Cluster, topic: string): Promise<number> {
  const metadata = await cluster.attempt(
    `Cannot count the partitions of ${topic}`,
    () => cluster.topic(topic, true),
  );
  return metadata?.leaders.length ?? 0;
}

/**
 * Makes sure that a topic has so many partitions at least.
 *
 * @throws {LogError} `INVALID`
 */
export async function ensureTopic(
  cluster: Cluster,
  topic: string,
  partitions: number,
  configuration: Readonly<Record<string, string>> = {},
): Promise<number> {
  if (!Number.isInteger(partitions) || partitions < 1) {
    throw new LogError(
      "INVALID",
      `Cannot create topic ${topic} with ${partitions} partitions: expected 1 or more`,
    );
  }
  if (!/^[\w.-]{1,249}$/.test(topic) || topic === "." || topic === "..") {
    throw new LogError(
      "INVALID",
      `Cannot create topic ${
        JSON.stringify(topic)
      }: expected 1 to 249 letters, digits, dots, dashes and underscores`,
    );
  }
  const settings = { ...TOPIC_CONFIGURATION, ...configuration };
  return await cluster.attempt(`Cannot create topic ${topic}`, async () => {
    for (;;) {
      const count = (await cluster.topic(topic, true))?.leaders.length ?? 0;
      if (count >= partitions) return count;
      const connection = await cluster.any();
      // Somebody else may be doing the same: what counts is what there is afterwards.
      if (count === 0) {
        const create = (values: Readonly<Record<string, string>>) =>
          unless(
            "TOPIC_ALREADY_EXISTS",
            createTopic(connection, topic, partitions, values, cluster.timeoutMs),
          );
        try {
          await create({ ...ANY_CLOCK, ...settings });
        } catch (error) {
          // Brokers before 3.6 do not know the limit, and have none.
          if (!protocolErrors(error).includes("INVALID_CONFIG")) throw error;
          await create(settings);
        }
      } else {
        await unless(
          "INVALID_PARTITIONS",
          createPartitions(connection, topic, partitions, cluster.timeoutMs),
        );
      }
      await visible(cluster, topic);
    }
  });
}

/** Waits until the broker that is asked for metadata has heard of a topic and of all its leaders. */
async function visible(cluster: Cluster, topic: string): Promise<void> {
  for (let delay = 2;; delay = Math.min(2 * delay, 50)) {
    const metadata = await cluster.topic(topic, true);
    if (metadata !== undefined && metadata.leaders.every(({ broker }) => broker >= 0)) return;
    cluster.throwIfClosed(`Cannot create topic ${topic}`);
    await new Promise((next) => setTimeout(next, delay));
  }
}

async function unless(expected: string, request: Promise<unknown>): Promise<void> {
  try {
    await request;
  } catch (error) {
    if (!protocolErrors(error).includes(expected)) throw error;
  }
}

/** First offset that is there, and one past the last committed one. */
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

/** The first offset whose timestamp is at or after `timestamp`, or the latest. */
export async function offsetAt(
  cluster: Cluster,
  topic: string,
  partition: number,
  timestamp: number,
): Promise<number> {
  const found = await findOffset(cluster, topic, partition, Math.max(0, Math.ceil(timestamp)));
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
    async () => {
      const { broker, epoch } = await cluster.leader(topic, partition);
      const connection = await cluster.connections.get(broker, "main");
      return await listOffset(connection, { topic, partition, leaderEpoch: epoch }, timestamp);
    },
  );
}
