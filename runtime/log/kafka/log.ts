// Apache Kafka as a log.
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
import { checkTopic } from "../checks.ts";
import { hasIdentity } from "../folder_identity.ts";
import { folderEnd } from "../group_names.ts";
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

/** Kafka's lowest and its default. */
const [MIN_SEGMENT, MAX_SEGMENT] = [2 ** 20, 2 ** 30];

/**
 * Opens `kafka://host:port[,host:port]` without connecting.
 *
 * @throws {LogError} `INVALID`
 */
export async function openKafkaLog(
  url: string,
  options: { readonly timeoutMs?: number; readonly checkpointDir?: string } = {},
): Promise<TopicLog> {
  const { timeoutMs = 10_000, checkpointDir } = options;
  return new KafkaLog(await parseAddress(url), timeoutMs, checkpointDir);
}

class KafkaLog implements TopicLog {
  readonly url: string;
  readonly #cluster: Cluster;
  readonly #checkpointDir: string | undefined;
  readonly #epochs = new Epochs();
  readonly #offsetCommits: OffsetCommits;

  constructor(address: KafkaAddress, timeoutMs: number, checkpointDir: string | undefined) {
    this.url = address.url;
    this.#checkpointDir = checkpointDir;
    this.#cluster = new Cluster(address, timeoutMs);
    this.#offsetCommits = new OffsetCommits(this.#cluster);
  }

  topics(): Promise<string[]> {
    return listTopics(this.#cluster);
  }

  partitionCount(topic: string): Promise<number> {
    return countPartitions(this.#cluster, topic);
  }

  async createTopic(
    topic: string,
    partitions: number,
    limits: TopicLimits = {},
  ): Promise<number> {
    checkTopic(topic, partitions, limits);
    const { retentionBytes: bytes } = limits;
    return await ensureTopic(
      this.#cluster,
      topic,
      partitions,
      bytes === undefined ? {} : {
        "retention.bytes": String(bytes),
        // Kafka deletes complete segments.
        "segment.bytes": String(Math.min(Math.max(MIN_SEGMENT, Math.ceil(bytes / 8)), MAX_SEGMENT)),
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
    this.#cluster.throwIfClosed("Cannot make a producer");
    return new KafkaProducer(this.#cluster, options);
  }

  // deno-lint-ignore require-await
  async reader(options: ReaderOptions = {}): Promise<LogReader> {
    this.#cluster.throwIfClosed("Cannot make a reader");
    return new KafkaReader(this.#cluster, this.#epochs, options);
  }

  async joinGroup(options: GroupOptions): Promise<GroupMember> {
    this.#cluster.throwIfClosed(`Cannot join group ${options.group}`);
    return await KafkaMember.join(this.#cluster, options);
  }

  async committer(options: CommitterOptions): Promise<BatchCommitter> {
    this.#cluster.throwIfClosed(`Cannot open the checkpoint of query ${options.query}`);
    const [cluster, epochs, offsetCommits] = [this.#cluster, this.#epochs, this.#offsetCommits];
    return await KafkaCommitter.open({ cluster, epochs, offsetCommits }, options);
  }

  async checkpoints(filter: CheckpointFilter = {}): Promise<CheckpointInfo[]> {
    const dir = this.#checkpointDir;
    // A group that was given keeps its checkpoints without the folder.
    if (dir === undefined || filter.group !== undefined) {
      return await listCheckpoints(this.#cluster, filter);
    }
    if (!await hasIdentity(dir)) return [];
    const end = await folderEnd(dir);
    const infos = await listCheckpoints(this.#cluster, filter);
    return infos.filter(({ group, query }) => group.replace(`/${query}`, "").endsWith(end));
  }

  close(): Promise<void> {
    return this.#cluster.close();
  }
}
