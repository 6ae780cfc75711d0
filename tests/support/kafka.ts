/**
 * Kafka for tests: the broker that the test run provides, names of one's own on it, and brokers of
 * one's own where a test stops or kills them.
 *
 * @module
 */
import { Admin } from "@platformatic/kafka";
import { type KafkaCluster, type KafkaOptions, startKafka } from "../../tools/kafka/cluster.ts";

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

/** Runs something with the Kafka client's own administration, on the test run's broker or another. */
export async function withAdmin<T>(
  action: (admin: Admin) => Promise<T>,
  address = kafkaAddress(),
): Promise<T> {
  const admin = new Admin({
    clientId: "framelane-test",
    bootstrapBrokers: address.split(","),
    timeout: 10_000,
  });
  try {
    return await action(admin);
  } finally {
    await admin.close();
  }
}

/** A name that nobody else uses: for topics, groups and queries. */
export function uniqueName(prefix: string): string {
  return `${prefix}-${crypto.randomUUID().slice(0, 8)}`;
}

/** A broker that lives for seconds: its Java need not become fast. */
export const smallBroker = { heapMb: 384, jvmFlags: ["-XX:TieredStopAtLevel=1"] } as const;

/** Starts a broker of the test's own, small, which is gone when the body has ended. */
export async function withKafka(
  options: KafkaOptions,
  body: (kafka: KafkaCluster) => Promise<void>,
): Promise<void> {
  const kafka = await startKafka({ ...smallBroker, ...options });
  try {
    await body(kafka);
  } finally {
    // In good order takes seconds with several nodes, and nobody reads the data again.
    await kafka.kill();
  }
}

/** Waits until a condition holds; fails with `what` after `timeoutMs`. */
export async function until(
  what: string,
  condition: () => boolean | Promise<boolean>,
  timeoutMs = 20_000,
): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  while (!await condition()) {
    if (performance.now() > deadline) throw new Error(`Waited ${timeoutMs} ms in vain: ${what}`);
    await new Promise((next) => setTimeout(next, 10));
  }
}
