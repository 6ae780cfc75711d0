// A log in memory for tests of what writes to one: topics, partitions and their records, and
// failures on demand. Readers, groups and checkpoints are not part of it.
import {
  LogError,
  type LogProducer,
  type LogReader,
  type LogRecord,
  type OffsetRange,
  type PartitionReader,
  type TopicLog,
} from "../../runtime/log/log.ts";

/** What the log holds, and how it behaves. */
export class MemoryLog implements
  Pick<
    TopicLog,
    | "url"
    | "createTopic"
    | "partitionCount"
    | "topics"
    | "offsets"
    | "producer"
    | "reader"
    | "close"
  > {
  readonly url = "memory:";
  readonly partitions = new Map<string, LogRecord[][]>();
  /** Sizes of the batches that were appended. */
  readonly batches: number[] = [];
  /** Called before each append; throws what the append shall throw, waits as long as it shall wait. */
  beforeAppend: (records: readonly LogRecord[]) => void | Promise<void> = () => {};
  beforeCreate: () => void | Promise<void> = () => {};
  #changed = Promise.withResolvers<void>();

  /** For code that wants a whole log; what is missing is never called by cameras. */
  asTopicLog(): TopicLog {
    return this as unknown as TopicLog;
  }

  records(topic: string, partition: number): readonly LogRecord[] {
    return this.partitions.get(topic)?.[partition] ?? [];
  }

  /** Waits until a partition holds this many records. */
  async until(topic: string, partition: number, count: number): Promise<void> {
    while (this.records(topic, partition).length < count) await this.#changed.promise;
  }

  topics(): Promise<string[]> {
    return Promise.resolve([...this.partitions.keys()].sort());
  }

  partitionCount(topic: string): Promise<number> {
    return Promise.resolve(this.partitions.get(topic)?.length ?? 0);
  }

  async createTopic(topic: string, partitions: number): Promise<number> {
    await this.beforeCreate();
    const existing = this.partitions.get(topic) ?? [];
    while (existing.length < partitions) existing.push([]);
    this.partitions.set(topic, existing);
    return existing.length;
  }

  // deno-lint-ignore require-await
  async offsets(topic: string, partition: number): Promise<OffsetRange> {
    return { earliest: 0, latest: this.#partition(topic, partition).length };
  }

  producer(): Promise<LogProducer> {
    return Promise.resolve({
      append: async (topic, partition, records) => {
        await this.beforeAppend(records);
        const target = this.#partition(topic, partition);
        const first = target.length;
        target.push(...records);
        this.batches.push(records.length);
        this.#changed.resolve();
        this.#changed = Promise.withResolvers();
        return first;
      },
      close: () => Promise.resolve(),
    });
  }

  reader(): Promise<LogReader> {
    const open = (topic: string, partition: number, offset: number): Promise<PartitionReader> => {
      let position = offset;
      const reader = {
        read: (max: number) => {
          const records = this.#partition(topic, partition).slice(position, position + max);
          const first = position;
          position += records.length;
          return Promise.resolve(
            records.map((record, i) => ({ ...record, topic, partition, offset: first + i })),
          );
        },
        get position() {
          return position;
        },
      };
      return Promise.resolve(reader as unknown as PartitionReader);
    };
    return Promise.resolve({ open, close: () => Promise.resolve() });
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  #partition(topic: string, partition: number): LogRecord[] {
    const partitions = this.partitions.get(topic);
    if (partitions === undefined) throw new LogError("TOPIC_MISSING", `No topic ${topic}`);
    const records = partitions[partition];
    if (records === undefined) throw new LogError("PARTITION_MISSING", `No ${topic}/${partition}`);
    return records;
  }
}
