// The log: what holds topics. Apache Kafka, or the embedded log (files on this machine).
//
// Obligations common to all implementations are stated here and checked by
// `tests/contracts/log_contract.ts`, which runs on each of them.
import type { Frame } from "../definition/frame.ts";
import type {
  BatchCommitter,
  CheckpointFilter,
  CheckpointInfo,
  CommitterOptions,
} from "./checkpoint.ts";
import type { LogError } from "./log_error.ts";
import type { LogRecord, Membership, OffsetRange } from "./records.ts";

export type * from "./checkpoint.ts";
export { saysFirst } from "./checkpoint.ts";
export { LogError, type LogErrorCode } from "./log_error.ts";
export type * from "./records.ts";

/**
 * A log, open. All methods may be called concurrently. A method that meets a log which is away
 * throws a retryable `LogError` (`UNREACHABLE`) within `timeoutMs` of `openLog`: waiting and trying again is
 * done once, in `runtime/base/wait.ts`, not in the implementations.
 */
export interface TopicLog {
  /** The log's URL without secrets. */
  readonly url: string;
  /** Names of the topics, sorted, without internal ones. */
  topics(): Promise<string[]>;
  /** Number of partitions; 0 when there is no such topic. */
  partitionCount(topic: string): Promise<number>;
  /**
   * Makes sure that the topic exists and has at least `partitions` partitions; never takes any
   * away. Concurrent calls from several processes all succeed.
   *
   * @param options for a topic that is made now; one that is there stays as it is.
   * @returns the number of partitions there are now.
   */
  createTopic(topic: string, partitions: number, options?: TopicLimits): Promise<number>;
  /**
   * What the partition holds.
   *
   * @throws {LogError} `TOPIC_MISSING` or `PARTITION_MISSING`.
   */
  offsets(topic: string, partition: number): Promise<OffsetRange>;
  /** The first offset whose timestamp is at or after `timestamp`; the latest offset when none is. */
  offsetForTime(topic: string, partition: number, timestamp: number): Promise<number>;
  /** Opens a way to append. */
  producer(options?: ProducerOptions): Promise<LogProducer>;
  /** A reader for any number of partitions; one an executor. */
  reader(options?: ReaderOptions): Promise<LogReader>;
  /** Joins the group that shares a topic's partitions among runtimes. */
  joinGroup(options: GroupOptions): Promise<GroupMember>;
  /**
   * Takes over the checkpoint of one query on one partition. The owner before is fenced: its
   * next `plan` or `commit` throws `FENCED`.
   */
  committer(options: CommitterOptions): Promise<BatchCommitter>;
  /**
   * The checkpoints there are, sorted by group, query, topic and partition. Only looks: nothing is
   * created, no owner is fenced. One that cannot be trusted is in the list, with its `fault`.
   */
  checkpoints(filter?: CheckpointFilter): Promise<CheckpointInfo[]>;
  /** What its files take, for metrics; absent where the log keeps none on this machine. */
  storage?(): Promise<LogStorage>;
  /** Closes everything that was opened through this log. */
  close(): Promise<void>;
}

/** How much a topic keeps. */
export interface TopicLimits {
  /** About how much of each partition is kept at most; as the log's own default says without it. */
  readonly retentionBytes?: number | undefined;
}

/** What a log's files take on this machine, bytes. */
export interface LogStorage {
  /** Free on the disk that the log is on; absent without the permission (`--allow-sys=statfs`). */
  readonly diskFreeBytes?: number;
  /** The write-ahead log of its database, which long readers keep from starting over. */
  readonly walBytes: number;
}

/** Compression of record batches; the embedded log stores values as they are. */
export type Compression = "none" | "gzip" | "snappy" | "lz4" | "zstd";

/** How a producer appends. */
export interface ProducerOptions {
  /**
   * `all` waits for every in-sync replica, and retries never double or reorder records (Kafka's idempotent
   * producer); `leader` waits for one, `none` for no answer. Default `all`.
   */
  readonly acks?: "all" | "leader" | "none";
  readonly compression?: Compression;
}

/** Appends records. Callers batch: one call is one batch. */
export interface LogProducer {
  /**
   * Appends the records in order. Calls for the same partition take effect in call order.
   *
   * @returns the offset of the first record (−1 when `acks` is `none`).
   * @throws {LogError} `UNREACHABLE` (retryable), `TOPIC_MISSING`, `PARTITION_MISSING`, `TOO_LARGE`.
   */
  append(topic: string, partition: number, records: readonly LogRecord[]): Promise<number>;
  /** Frees what it holds. */
  close(): Promise<void>;
}

/** What a reader may hold in memory, for each partition. */
export interface ReaderOptions {
  /** Default 256; 64 of an embedded log, which is read in no time. */
  readonly maxBufferedFrames?: number;
  /** Default 16 MiB; 4 of an embedded log. At least one frame is always delivered, however large. */
  readonly maxBufferedBytes?: number;
}

/** What keeps a reader from going on, although it may pass. */
export interface ReadProblem {
  /** In one word, for metrics: the log's own name of an error, or `OPEN_TRANSACTION`. */
  readonly reason: string;
  /** For people. */
  readonly message: string;
}

/** Reads partitions, shared by all streaming queries of an executor. */
export interface LogReader {
  /**
   * Starts to read a partition at `offset`. The same partition may be opened several times (several
   * queries), each at its own offset.
   *
   * @param onProblem called with what keeps the reader from going on although it may pass (an error each time
   * it repeats, another producer's open transaction once), and without anything when it has passed.
   * @throws {LogError} `TOPIC_MISSING`, `PARTITION_MISSING`.
   */
  open(
    topic: string,
    partition: number,
    offset: number,
    onProblem?: (problem?: ReadProblem) => void,
  ): Promise<PartitionReader>;
  /** Frees what it holds. */
  close(): Promise<void>;
}

/** One partition, read in offset order from where it was opened. */
export interface PartitionReader {
  /**
   * The next frames in offset order, at least one, at most `max`: what is buffered is returned at
   * once, otherwise the call waits for the next append. Offsets only grow; holes (compaction,
   * transaction markers) are skipped silently and are no loss: without `until`, an empty list says that
   * there was nothing else up to `position`. Sees committed records only.
   *
   * @throws {LogError} `OFFSET_OUT_OF_RANGE` when the next offset is no longer there (retention) or
   * not there yet (the topic was recreated); `error.range` says what is. `UNREACHABLE` is never thrown: the
   * reader waits for the log with backoff; `status` tells.
   * @param until returns an empty list as soon as all that lies below this offset was returned
   * (there may be nothing but holes before it).
   * @throws the signal's reason when it aborts; no frame is lost by that.
   */
  read(max: number, signal?: AbortSignal, until?: number): Promise<Frame[]>;
  /** Frames that `read` would return at once. */
  readonly buffered: number;
  /** Offset at which `read` continues: behind the last frame that it returned, and behind holes read past since. */
  readonly position: number;
  /** One past the last offset of the partition that the reader has heard of. */
  readonly latest: number;
  /** The log's current state as seen by this reader. */
  readonly status: "reading" | "waiting-for-log";
  /** Drops what is buffered and continues at `offset`. */
  seek(offset: number): void;
  /** Frees what it holds. */
  close(): Promise<void>;
}

/** A member that is silent for this long loses its partitions, unless another time is given, milliseconds. */
export const SESSION_TIMEOUT_MS = 10_000;

/** Which group to join. */
export interface GroupOptions {
  readonly group: string;
  readonly topic: string;
  /** A member that is silent for this long loses its partitions. Default `SESSION_TIMEOUT_MS`. */
  readonly sessionTimeoutMs?: number;
  /**
   * Called with all partitions that are this member's now, whenever that changes, the first time
   * when the group is joined. Partitions that are no longer in the list were taken away: stop their queries,
   * then return; the group hands them on when the promise resolves or the session times out.
   */
  readonly onAssignment: (assignment: Assignment) => Promise<void>;
  /** Called when membership is in trouble (log away, expelled); it heals by itself. */
  readonly onError?: (error: LogError) => void;
}

/** The partitions of one member in one generation of its group. */
export interface Assignment {
  readonly partitions: readonly number[];
  /** Proof of membership for the committer; opaque. */
  readonly membership: Membership;
}

/** A member of a group. Heartbeats continue by themselves until `leave`. */
export interface GroupMember {
  readonly memberId: string;
  /** Leaves at once, so that others get the partitions without waiting for the session timeout. */
  leave(): Promise<void>;
}
