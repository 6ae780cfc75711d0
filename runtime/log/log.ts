// The log holds topics: Apache Kafka, or the embedded log (local files).
//
// The obligations of all implementations are stated here and checked by `tests/contracts/log_contract.ts`.
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
 * An open log. All methods may be called concurrently. If the log is unreachable, methods throw a retryable
 * `LogError` (`UNREACHABLE`) within `timeoutMs` of `openLog`: callers retry with `runtime/base/wait.ts`,
 * implementations do not.
 */
export interface TopicLog {
  /** The log's URL without secrets. */
  readonly url: string;
  /** Sorted topic names, without internal topics. */
  topics(): Promise<string[]>;
  /** Number of partitions; 0 if the topic does not exist. */
  partitionCount(topic: string): Promise<number>;
  /**
   * Ensures that the topic exists with at least `partitions` partitions; never removes any. Concurrent calls
   * from several processes all succeed.
   *
   * @param options for a new topic; an existing one is not changed
   * @returns the current number of partitions
   */
  createTopic(topic: string, partitions: number, options?: TopicLimits): Promise<number>;
  /**
   * The offsets that the partition holds.
   *
   * @throws {LogError} `TOPIC_MISSING` or `PARTITION_MISSING`
   */
  offsets(topic: string, partition: number): Promise<OffsetRange>;
  /** The first offset with a timestamp at or after `timestamp`; the latest offset if there is none. */
  offsetForTime(topic: string, partition: number, timestamp: number): Promise<number>;
  /** Opens a producer. */
  producer(options?: ProducerOptions): Promise<LogProducer>;
  /** Opens a reader for any number of partitions; one per executor. */
  reader(options?: ReaderOptions): Promise<LogReader>;
  /** Joins the group that shares a topic's partitions among runtimes. */
  joinGroup(options: GroupOptions): Promise<GroupMember>;
  /**
   * Takes over the checkpoint of one query on one partition. The previous owner is fenced: its next `plan` or
   * `commit` throws `FENCED`.
   */
  committer(options: CommitterOptions): Promise<BatchCommitter>;
  /**
   * Existing checkpoints, sorted by group, query, topic and partition. Read-only: creates nothing and fences
   * no owner. Invalid checkpoints are listed with their `fault`.
   */
  checkpoints(filter?: CheckpointFilter): Promise<CheckpointInfo[]>;
  /** Disk usage, for metrics; absent if the log stores nothing on this machine. */
  storage?(): Promise<LogStorage>;
  /** Closes everything that was opened through this log. */
  close(): Promise<void>;
}

/** Options of `openLog`. */
export interface OpenLogOptions {
  /** How long a request may take before the log counts as unreachable, milliseconds. Default 10 000. */
  readonly timeoutMs?: number;
  /**
   * Checkpoint folder; default: the embedded log's own, or none. Checkpoints are listed by its identity.
   */
  readonly checkpointDir?: string;
  /**
   * Receives warnings of the embedded log: a clock that was set, a copied folder, a long reader. Default: standard
   * error.
   */
  readonly onWarning?: (message: string) => void;
  /** Whether another instance of this process warns of what every instance meets, such as a clock that was set. */
  readonly secondary?: boolean;
}

/** Limits of a topic. */
export interface TopicLimits {
  /** Approximate maximum kept per partition; default: the log's own. */
  readonly retentionBytes?: number | undefined;
}

/** Disk usage of a log on this machine, in bytes. */
export interface LogStorage {
  /** Free space on the log's disk; absent without permission (`--allow-sys=statfs`). */
  readonly diskFreeBytes?: number;
  /** Size of the database's write-ahead log, which grows while readers prevent a restart. */
  readonly walBytes: number;
}

/** Compression of record batches; the embedded log ignores it. */
export type Compression = "none" | "gzip" | "snappy" | "lz4" | "zstd";

/** Options of a producer. */
export interface ProducerOptions {
  /**
   * `all` waits for every in-sync replica, and retries never double or reorder records (Kafka's idempotent
   * producer); `leader` waits for one, `none` for no answer. Default `all`.
   */
  readonly acks?: "all" | "leader" | "none";
  readonly compression?: Compression;
}

/** Appends records. Callers batch: one call is one batch, unless several wait for a partition. */
export interface LogProducer {
  /**
   * Appends the records in order. Calls for the same partition take effect in call order.
   *
   * @returns the offset of the first record (−1 if `acks` is `none`)
   * @throws {LogError} `UNREACHABLE` (retryable), `TOPIC_MISSING`, `PARTITION_MISSING`, `TOO_LARGE`
   */
  append(topic: string, partition: number, records: readonly LogRecord[]): Promise<number>;
  /** Releases its resources. */
  close(): Promise<void>;
}

/** Buffer limits of a reader, per partition. */
export interface ReaderOptions {
  /** Default 256; 64 for the embedded log, which reads fast. */
  readonly maxBufferedFrames?: number;
  /** Default 16 MiB; 4 MiB for the embedded log. At least one frame is always delivered. */
  readonly maxBufferedBytes?: number;
}

/** A temporary problem that blocks a reader. */
export interface ReadProblem {
  /** For metrics: the log's error name, or `OPEN_TRANSACTION`. */
  readonly reason: string;
  readonly message: string;
}

/** Reads partitions; shared by all streaming queries of an executor. */
export interface LogReader {
  /**
   * Starts to read a partition at `offset`. The same partition may be opened several times, for several
   * queries.
   *
   * @param onProblem called with temporary problems (each repeated error; another producer's open transaction
   * once), and without one once the reader continues
   * @throws {LogError} `TOPIC_MISSING`, `PARTITION_MISSING`
   */
  open(
    topic: string,
    partition: number,
    offset: number,
    onProblem?: (problem?: ReadProblem) => void,
  ): Promise<PartitionReader>;
  /** Releases its resources. */
  close(): Promise<void>;
}

/** Reads one partition in offset order. */
export interface PartitionReader {
  /**
   * The next frames in offset order, from 1 to `max`: buffered frames are returned at once, otherwise the
   * call waits for the next append. Offsets only increase; holes (compaction, transaction markers) are
   * skipped silently and do not count as lost: without `until`, an empty list means that there was nothing else up to
   * `position`. Only committed records are read.
   *
   * @param until returns an empty list once everything below this offset was returned (there may be only
   * holes before it)
   * @throws {LogError} `OFFSET_OUT_OF_RANGE` if the next offset no longer exists (retention) or does not
   * exist yet (recreated topic), with the existing `error.range`. Never `UNREACHABLE`: the reader waits for
   * the log with backoff; see `status`.
   * @throws the signal's reason if it aborts; no frame is lost
   */
  read(max: number, signal?: AbortSignal, until?: number): Promise<Frame[]>;
  /** Frames that `read` would return at once. */
  readonly buffered: number;
  /** Offset at which `read` continues: after the last returned frame and any holes read since. */
  readonly position: number;
  /** One past the last offset of the partition known to the reader. */
  readonly latest: number;
  /** The log's current state as seen by this reader. */
  readonly status: "reading" | "waiting-for-log";
  /** Drops buffered frames and continues at `offset`. */
  seek(offset: number): void;
  /** Releases its resources. */
  close(): Promise<void>;
}

/** Default session timeout: a member silent for this long loses its partitions, milliseconds. */
export const SESSION_TIMEOUT_MS = 10_000;

/** The group to join, and its callbacks. */
export interface GroupOptions {
  readonly group: string;
  readonly topic: string;
  /** A member silent for this long loses its partitions, milliseconds. Default `SESSION_TIMEOUT_MS`. */
  readonly sessionTimeoutMs?: number;
  /**
   * Called with all partitions of this member whenever they change, first on joining. For partitions no
   * longer in the list: stop their queries, then return; the group reassigns them when the promise resolves
   * or the session times out.
   */
  readonly onAssignment: (assignment: Assignment) => Promise<void>;
  /** Called if membership is disturbed (log unreachable, expelled); it recovers by itself. */
  readonly onError?: (error: LogError) => void;
}

/** The partitions of one member in one generation of its group. */
export interface Assignment {
  readonly partitions: readonly number[];
  /** Proof of membership for the committer; opaque. */
  readonly membership: Membership;
}

/** A member of a group. Heartbeats continue automatically until `leave`. */
export interface GroupMember {
  readonly memberId: string;
  /**
   * Resolves once every other member has been heard from or has lost its partitions. By then `onAssignment` has
   * returned with what came here.
   */
  checkOthers(): Promise<void>;
  /** Leaves at once, so that others need not wait for the session timeout. */
  leave(): Promise<void>;
}
