// Kafka for tests: the broker that the test run provides, names of one's own on it, and brokers of
// one's own where a test stops or kills them.
import { Admin, Connection as PackageConnection } from "@platformatic/kafka";
import { Connection } from "../../runtime/log/kafka/net/connection.ts";
import { produce } from "../../runtime/log/kafka/append/produce.ts";
import type { TopicLog } from "../../runtime/log/log.ts";
import { openLog } from "../../runtime/log/open.ts";
import { type ClusterOptions, type KafkaCluster, startCluster } from "./cluster.ts";
import { withFolder } from "./folder.ts";
import { PATIENCE_MS } from "./until.ts";

/** The address of the test run's broker: `host:port`. */
export function kafkaAddress(): string {
  const address = Deno.env.get("FRAMELANE_TEST_KAFKA");
  if (address === undefined || address === "") {
    throw new Error(
      "Cannot run this test without Kafka: FRAMELANE_TEST_KAFKA is not set: give it host:port of a broker, or run deno task test, which starts one",
    );
  }
  return address;
}

/** The same as a log's URL. */
export function kafkaUrl(): string {
  return `kafka://${kafkaAddress()}`;
}

/** Opens the test run's broker, or another, as a log whose calls have time on a machine with much else to do. */
export async function openPatiently(url = kafkaUrl()): Promise<TopicLog> {
  return await openLog(url, { timeoutMs: PATIENCE_MS });
}

/** The same; gives the test a folder too, and cleans up. */
export async function withKafkaLog(
  test: (url: string, log: TopicLog, folder: string) => Promise<void>,
  url = kafkaUrl(),
): Promise<void> {
  await withFolder(async (folder) => {
    const log = await openPatiently(url);
    try {
      await test(url, log, folder);
    } finally {
      await log.close();
    }
  });
}

/** Runs something with the Kafka client's own administration, on the test run's broker or another. */
export async function withAdmin<T>(
  action: (admin: Admin) => Promise<T>,
  address = kafkaAddress(),
): Promise<T> {
  const admin = new Admin({
    clientId: "framelane-test",
    bootstrapBrokers: address.split(","),
    timeout: PATIENCE_MS,
  });
  try {
    return await action(admin);
  } finally {
    await admin.close();
  }
}

/** The same over a bare connection, for requests that the administration does not know. */
export async function withConnection<T>(
  action: (connection: PackageConnection) => Promise<T>,
): Promise<T> {
  const { host, port } = testBroker();
  const connection = new PackageConnection("framelane-test");
  await connection.connect(host, port);
  try {
    return await action(connection);
  } finally {
    await connection.close();
  }
}

/** Appends record batches that the test has made itself, byte by byte. */
export async function appendBatches(
  topic: string,
  partition: number,
  batches: Iterable<Uint8Array>,
): Promise<void> {
  const connection = await Connection.open(testBroker(), {
    ...{ connectTimeoutMs: PATIENCE_MS, requestTimeoutMs: PATIENCE_MS },
    signal: new AbortController().signal,
    onEnd() {},
  });
  try {
    for (const bytes of batches) {
      const batch = { topic, partition, bytes, acks: -1, timeoutMs: PATIENCE_MS };
      await produce(connection, batch);
    }
  } finally {
    await connection.close();
  }
}

function testBroker(): { host: string; port: number } {
  const [host, port] = kafkaAddress().split(":");
  return { host: host!, port: Number(port) };
}

/** A name that no other test uses: for topics, groups and queries. */
export function uniqueName(prefix: string): string {
  return `${prefix}-${crypto.randomUUID().slice(0, 8)}`;
}

/** A broker that lives for seconds: its Java need not become fast. */
export const smallBroker = { heapMb: 384, jvmFlags: ["-XX:TieredStopAtLevel=1"] } as const;

/** Starts a broker of the test's own, small, which is gone when the body has ended. */
export async function withKafka(
  options: ClusterOptions,
  body: (kafka: KafkaCluster) => Promise<void>,
): Promise<void> {
  const kafka = await startCluster({ ...smallBroker, ...options });
  try {
    await body(kafka);
  } finally {
    // An orderly end takes seconds with several nodes, and the data is not needed again.
    await kafka.kill();
  }
}
