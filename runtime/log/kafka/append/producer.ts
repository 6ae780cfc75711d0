// Appends records through one queue for each partition. A queue has one request in flight; calls made
// meanwhile form the next batch.
import { timeOf } from "../../checks.ts";
import { LogError, type LogProducer, type LogRecord, type ProducerOptions } from "../../log.ts";
import type { Cluster } from "../net/cluster.ts";
import { PartitionQueue } from "./partition_queue.ts";

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
    // Before it shares a batch with other calls.
    for (const record of records) timeOf(record);
    const key = `${topic}/${partition}`;
    let queue = this.#queues.get(key);
    if (queue === undefined) {
      queue = new PartitionQueue(this.#cluster, topic, partition, this.#options);
      this.#queues.set(key, queue);
    }
    return await queue.append(records);
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await Promise.all([...this.#queues.values()].map((queue) => queue.drained()));
    this.#queues.clear();
    this.#cluster.opened.delete(this);
  }
}
