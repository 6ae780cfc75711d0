/**
 * Apache Kafka as a log.
 *
 * @module
 */
import type {
  BatchCommitter,
  CheckpointFilter,
  CheckpointInfo,
  CommitterOptions,
  GroupMember,
  GroupOptions,
  LogProducer,
  LogReader,
  OffsetRange,
  ProducerOptions,
  ReaderOptions,
  TopicLog,
} from "../log.ts";
import { type KafkaAddress, parseAddress } from "./address.ts";
import { listCheckpoints } from "./checkpoint_list.ts";
import { Cluster } from "./cluster.ts";
import { KafkaCommitter } from "./committer.ts";
import { KafkaMember } from "./group.ts";
import { KafkaProducer } from "./producer.ts";
import { KafkaReader } from "./reader.ts";
import { countPartitions, ensureTopic, listTopics, offsetAt, offsetRange } from "./topics.ts";

/**
 * Opens `kafka://host:port[,host:port]`. Nothing is connected yet.
 *
 * @throws {LogError} `INVALID` when the URL cannot be used.
 */
export async function openKafkaLog(
  url: string,
  options: { readonly timeoutMs?: number } = {},
): Promise<TopicLog> {
  const { timeoutMs = 10_000 } = options;
  return new KafkaLog(await parseAddress(url), timeoutMs);
}

/** Something that ends with its log. */
interface Part {
  close(): Promise<void>;
}

class KafkaLog implements TopicLog {
  readonly url: string;
  readonly #cluster: Cluster;
  readonly #parts = new Set<Part>();
  #closing: Promise<void> | undefined;

  constructor(address: KafkaAddress, timeoutMs: number) {
    this.url = address.url;
    this.#cluster = new Cluster(address, timeoutMs);
  }

  topics(): Promise<string[]> {
    return listTopics(this.#cluster);
  }

  partitionCount(topic: string): Promise<number> {
    return countPartitions(this.#cluster, topic);
  }

  createTopic(topic: string, partitions: number): Promise<number> {
    return ensureTopic(this.#cluster, topic, partitions);
  }

  offsets(topic: string, partition: number): Promise<OffsetRange> {
    return offsetRange(this.#cluster, topic, partition);
  }

  offsetForTime(topic: string, partition: number, timestamp: number): Promise<number> {
    return offsetAt(this.#cluster, topic, partition, timestamp);
  }

  // deno-lint-ignore require-await
  async producer(options: ProducerOptions = {}): Promise<LogProducer> {
    this.#throwIfClosed("Cannot make a producer");
    return this.#keep(
      new KafkaProducer(this.#cluster, options, (part) => this.#parts.delete(part)),
    );
  }

  // deno-lint-ignore require-await
  async reader(options: ReaderOptions = {}): Promise<LogReader> {
    this.#throwIfClosed("Cannot make a reader");
    return this.#keep(new KafkaReader(this.#cluster, options, (part) => this.#parts.delete(part)));
  }

  async joinGroup(options: GroupOptions): Promise<GroupMember> {
    this.#throwIfClosed(`Cannot join group ${options.group}`);
    const member = await KafkaMember.join(
      this.#cluster,
      options,
      (part) => this.#parts.delete(part),
    );
    return this.#keep(member);
  }

  async committer(options: CommitterOptions): Promise<BatchCommitter> {
    const action = `Cannot open the checkpoint of query ${options.query}`;
    this.#throwIfClosed(action);
    const committer = await KafkaCommitter.open(
      this.#cluster,
      options,
      (part) => this.#parts.delete(part),
    );
    return this.#keep(committer);
  }

  checkpoints(filter: CheckpointFilter = {}): Promise<CheckpointInfo[]> {
    return listCheckpoints(this.#cluster, filter);
  }

  close(): Promise<void> {
    return this.#closing ??= this.#close();
  }

  async #close(): Promise<void> {
    // Members leave their groups and transactions end while there still are connections.
    await Promise.all([...this.#parts].map((part) => part.close()));
    await this.#cluster.close();
  }

  #keep<P extends Part>(part: P): P {
    this.#parts.add(part);
    return part;
  }

  #throwIfClosed(action: string): void {
    if (this.#closing !== undefined) this.#cluster.throwIfClosed(action, true);
  }
}
