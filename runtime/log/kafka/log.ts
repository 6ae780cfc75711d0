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
  TopicLimits,
  TopicLog,
} from "../log.ts";
import { KafkaProducer } from "./append/producer.ts";
import { KafkaCommitter } from "./checkpoint/committer.ts";
import { listCheckpoints } from "./checkpoint/list.ts";
import { KafkaMember } from "./group/member.ts";
import { OffsetCommits } from "./group/offset_commits.ts";
import { type KafkaAddress, parseAddress } from "./net/address.ts";
import { Cluster } from "./net/cluster.ts";
import { Epochs } from "./read/epochs.ts";
import { KafkaReader } from "./read/reader.ts";
import { countPartitions, ensureTopic, listTopics, offsetAt, offsetRange } from "./read/topics.ts";

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
interface Closable {
  close(): Promise<void>;
}

class KafkaLog implements TopicLog {
  readonly url: string;
  readonly #cluster: Cluster;
  readonly #epochs = new Epochs();
  readonly #offsetCommits: OffsetCommits;
  readonly #opened = new Set<Closable>();
  #closing: Promise<void> | undefined;

  constructor(address: KafkaAddress, timeoutMs: number) {
    this.url = address.url;
    this.#cluster = new Cluster(address, timeoutMs);
    this.#offsetCommits = new OffsetCommits(this.#cluster);
  }

  topics(): Promise<string[]> {
    return listTopics(this.#cluster);
  }

  partitionCount(topic: string): Promise<number> {
    return countPartitions(this.#cluster, topic);
  }

  createTopic(
    topic: string,
    partitions: number,
    { retentionBytes }: TopicLimits = {},
  ): Promise<number> {
    return ensureTopic(
      this.#cluster,
      topic,
      partitions,
      retentionBytes === undefined ? {} : {
        "retention.bytes": String(retentionBytes),
        // Whole segments expire.
        "segment.bytes": String(Math.max(1024 * 1024, Math.ceil(retentionBytes / 8))),
      },
    );
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
      new KafkaProducer(this.#cluster, options, (opened) => this.#opened.delete(opened)),
    );
  }

  // deno-lint-ignore require-await
  async reader(options: ReaderOptions = {}): Promise<LogReader> {
    this.#throwIfClosed("Cannot make a reader");
    return this.#keep(
      new KafkaReader(
        this.#cluster,
        this.#epochs,
        options,
        (reader) => this.#opened.delete(reader),
      ),
    );
  }

  async joinGroup(options: GroupOptions): Promise<GroupMember> {
    this.#throwIfClosed(`Cannot join group ${options.group}`);
    const member = await KafkaMember.join(
      this.#cluster,
      options,
      (opened) => this.#opened.delete(opened),
    );
    return this.#keep(member);
  }

  async committer(options: CommitterOptions): Promise<BatchCommitter> {
    const action = `Cannot open the checkpoint of query ${options.query}`;
    this.#throwIfClosed(action);
    const committer = await KafkaCommitter.open(
      { cluster: this.#cluster, epochs: this.#epochs, offsetCommits: this.#offsetCommits },
      options,
      (opened) => this.#opened.delete(opened),
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
    await Promise.all([...this.#opened].map((opened) => opened.close()));
    await this.#cluster.close();
  }

  #keep<T extends Closable>(opened: T): T {
    this.#opened.add(opened);
    return opened;
  }

  #throwIfClosed(action: string): void {
    if (this.#closing !== undefined) this.#cluster.throwIfClosed(action, true);
  }
}
