// Appends records. Each partition has a queue of its own: one request of it is under way at a time,
// what is called for meanwhile goes together in the next, and several partitions go side by side.
import { LogError, type LogProducer, type LogRecord, type ProducerOptions } from "../../log.ts";
import type { Cluster } from "../net/cluster.ts";
import { PartitionQueue } from "./partition_queue.ts";

/** `LogProducer` on Kafka. */
export class KafkaProducer implements LogProducer {
  readonly #cluster: Cluster;
  readonly #options: ProducerOptions;
  readonly #queues = new Map<string, PartitionQueue>();
  #closed = false;

  constructor(cluster: Cluster, options: ProducerOptions) {
    this.#cluster = cluster;
    this.#options = options;
    cluster.opened.add(this);
  }

  async append(topic: string, partition: number, records: readonly LogRecord[]): Promise<number> {
    const action = `Cannot append to ${topic} partition ${partition}`;
    if (this.#closed) throw new LogError("CLOSED", `${action}: the producer is closed`);
    this.#cluster.throwIfClosed(action);
    if (records.length === 0) {
      throw new LogError("INVALID", `${action}: expected at least one record, given none`);
    }
    const key = `${topic}/${partition}`;
    let queue = this.#queues.get(key);
    if (queue === undefined) {
      queue = new PartitionQueue(this.#cluster, topic, partition, this.#options);
      this.#queues.set(key, queue);
    }
    return await queue.append(records);
  }

  /** Waits for what is under way. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await Promise.all([...this.#queues.values()].map((queue) => queue.drained()));
    this.#queues.clear();
    this.#cluster.opened.delete(this);
  }
}
