// Logs to measure on: an embedded one in a folder of its own, and a Kafka broker.
import type { LogRecord, TopicLog } from "../../runtime/log/log.ts";
import { openLog } from "../../runtime/log/open.ts";
import { startKafka } from "../../tools/kafka/start.ts";

export interface BenchLog {
  readonly name: "embedded" | "kafka";
  readonly url: string;
  readonly log: TopicLog;
  /** Process id of the broker, where it is ours. */
  readonly brokerPid?: number;
  close(): Promise<void>;
}

export async function embeddedLog(): Promise<BenchLog> {
  const directory = await Deno.makeTempDir({ prefix: "framelane-bench-" });
  const url = `embedded:${directory}`;
  const log = await openLog(url);
  return {
    name: "embedded",
    url,
    log,
    async close() {
      await log.close();
      await Deno.remove(directory, { recursive: true });
    },
  };
}

/** A Kafka broker of our own, or the one at `address` if not empty. */
export async function kafkaLog(address: string): Promise<BenchLog> {
  const broker = address === "" ? await startKafka() : undefined;
  const url = `kafka://${broker?.bootstrap ?? address}`;
  const log = await openLog(url);
  return {
    name: "kafka",
    url,
    log,
    ...(broker === undefined ? {} : { brokerPid: broker.node.pid }),
    async close() {
      await log.close();
      await broker?.stop();
    },
  };
}

/** The logs to measure on: `only` one, or both when it is empty. */
export async function benchLogs(
  { only, kafka }: { readonly only: string; readonly kafka: string },
): Promise<BenchLog[]> {
  const logs: BenchLog[] = [];
  try {
    if (only !== "kafka") logs.push(await embeddedLog());
    if (only !== "embedded") logs.push(await kafkaLog(kafka));
    return logs;
  } catch (error) {
    for (const log of logs) await log.close();
    throw error;
  }
}

/** Appends a backlog of `count` frames, `fps` a second, to each partition of a new topic. */
export async function fillTopic(
  log: TopicLog,
  topic: string,
  partitions: number,
  count: number,
  frames: readonly Uint8Array[],
  contentType = "image/jpeg",
  fps = 15,
): Promise<void> {
  await log.createTopic(topic, partitions);
  const producer = await log.producer();
  const start = Date.now();
  await Promise.all(Array.from({ length: partitions }, async (_, partition) => {
    for (let first = 0; first < count; first += 10) {
      const records = Array.from({ length: Math.min(10, count - first) }, (_, i): LogRecord => ({
        key: `CAMERA-${partition + 1}`,
        value: frames[(first + i) % frames.length]!,
        timestamp: start + Math.round((first + i) * 1000 / fps),
        headers: {
          "content-type": contentType,
          session: "bench",
          seq: String(first + i),
        },
      }));
      await producer.append(topic, partition, records);
    }
  }));
  await producer.close();
}
