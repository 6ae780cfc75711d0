/**
 * The log: what holds topics. Apache Kafka, or the embedded log (files on this machine).
 *
 * Obligations common to all implementations are stated here and checked by
 * `tests/contracts/log_contract.ts`, which runs on each of them.
 *
 * @module
 */
import type { Frame, Headers } from "../definition/frame.ts";

/** A record to append. */
export interface LogRecord {
  readonly key: string | null;
  readonly value: Uint8Array;
  /** Epoch milliseconds. */
  readonly timestamp: number;
  readonly headers: Headers;
}

/** A record for a topic of the log. */
export interface OutputRecord extends LogRecord {
  readonly topic: string;
  readonly partition: number;
  /**
   * What the log takes instead when the topic refuses this one (`TOO_LARGE`, `REFUSED`); without it the commit
   * fails. It may be meant for another topic, which is made if it is not there.
   */
  readonly smaller?: (refusal: { readonly code: string; readonly message: string }) => OutputRecord;
  /** Left out, counted and reported, where its topic is not there and cannot be made. */
  readonly optional?: boolean;
}

/** Which source offsets a batch takes. */
export interface BatchRange {
  readonly batchId: number;
  /** First offset of the batch. */
  readonly start: number;
  /** One past its last offset. */
  readonly end: number;
}

/** Whether a plan only says at which offset a query begins: the first batch, without a frame. */
export function saysFirst({ batchId, start, end }: BatchRange): boolean {
  return batchId === 0 && start === end;
}

/** First offset that is still there, and one past the last readable one. */
export interface OffsetRange {
  readonly earliest: number;
  readonly latest: number;
}

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
   * @returns the number of partitions there are now.
   */
  createTopic(topic: string, partitions: number): Promise<number>;
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
  /** `all` waits for every in-sync replica, `leader` for one, `none` for no answer. Default `all`. */
  readonly acks?: "all" | "leader" | "none";
  readonly compression?: Compression;
  /** Retries never double or reorder records (Kafka's idempotent producer). True by default. */
  readonly idempotent?: boolean;
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
  /** Default 256. */
  readonly maxBufferedFrames?: number;
  /** Default 16 MiB. At least one frame is always delivered, however large. */
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
  /** Offset at which `read` goes on: behind the last frame that it returned, and behind holes read past since. */
  readonly position: number;
  /** One past the last offset of the partition that the reader has heard of. */
  readonly latest: number;
  /** The log's current state as seen by this reader. */
  readonly status: "reading" | "waiting-for-log";
  /** Drops what is buffered and goes on at `offset`. */
  seek(offset: number): void;
  /** Frees what it holds. */
  close(): Promise<void>;
}

/** Which group to join. */
export interface GroupOptions {
  readonly group: string;
  readonly topic: string;
  /** A member that is silent for so long loses its partitions. Default 10 000. */
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

/** Kafka's generation and member id, or the embedded log's like. Plain data: it crosses to workers. */
export interface Membership {
  readonly memberId: string;
  readonly generation: number;
}

/** A member of a group. Heartbeats go on by themselves until `leave`. */
export interface GroupMember {
  readonly memberId: string;
  /** Leaves at once, so that others get the partitions without waiting for the session timeout. */
  leave(): Promise<void>;
}

/** Whose checkpoint it is. */
export interface CommitterOptions {
  readonly group: string;
  readonly query: string;
  readonly topic: string;
  readonly partition: number;
  /** Topics that the query's sinks write to: created as needed with the source's partition count. */
  readonly outputTopics?: readonly string[];
  /** Membership by which this partition is owned; absent when partitions were named by hand. */
  readonly membership?: Membership;
  /**
   * Takes the checkpoint over only while no runtime owns it (no member of the group holds the partition, no
   * committer of a living process is open); `OWNED` otherwise. Kafka knows of members and open transactions
   * alone: an owner without membership is fenced when it is between two batches. Default false.
   */
  readonly unowned?: boolean;
}

/** What a commit need not promise. */
export interface CommitOptions {
  /**
   * Running the batch again would do no harm, and the caller makes sure that no one else in this process
   * commits for the partition: a log may then take the membership's word for it. Default false.
   */
  readonly repeatable?: boolean;
}

/** Where a streaming query is. */
export interface Checkpoint {
  /** Batches 0 … `batchId` are committed; −1 when none is. */
  readonly batchId: number;
  /** Source offsets below this one are done: their outputs are committed. */
  readonly end: number;
  /** Where to read again from, to rebuild open windows; at most `end`. */
  readonly restart: number;
  /** Operators' state which the log cannot give back. */
  readonly state?: Uint8Array;
}

/** Which checkpoints to list; all by default. */
export interface CheckpointFilter {
  readonly group?: string;
  readonly query?: string;
  readonly topic?: string;
}

/** The version and the definition that wrote a checkpoint. */
export interface CheckpointWriter {
  /** Version of Framelane. */
  readonly version: string;
  /** Names of the query's steps, in their order. */
  readonly steps: readonly string[];
}

/** A checkpoint as others see it. */
export interface CheckpointInfo {
  /** The group that holds it; on Kafka it shows in lag tools under this name. */
  readonly group: string;
  readonly query: string;
  readonly topic: string;
  readonly partition: number;
  /** Absent when it cannot be read. */
  readonly queryId?: string;
  /** The last commit; absent before the first one. */
  readonly committed?: Omit<Checkpoint, "state"> & {
    readonly stateBytes: number;
    /** Absent where it is not known: an older version, or a state that lies elsewhere. */
    readonly writer?: CheckpointWriter;
  };
  /** A batch that was planned and is not committed. */
  readonly planned?: BatchRange;
  /** The last owner that is known. `member` is its id in the group, where it came by the group. */
  readonly owner?: { readonly epoch: number; readonly member?: string };
  /** Why it cannot be trusted: a query that meets it stops. */
  readonly fault?: string;
}

/** The checkpoint of one query on one partition, owned. */
export interface BatchCommitter {
  /** Random, made at the query's first start, kept with the checkpoint: survives restarts. */
  readonly queryId: string;
  /** The last commit, or undefined on a first start. */
  readonly committed: Checkpoint | undefined;
  /** A batch that was planned and never committed: it must be run again with exactly these offsets. */
  readonly planned: BatchRange | undefined;
  /**
   * Records durably which offsets a batch will take (`offsets/N`). Ids follow one another without a
   * gap: a batch with another id throws `CHECKPOINT_GAP`. The first batch may be planned empty, which
   * says where the query begins (`saysFirst`); a plan with its frames then takes its place.
   *
   * @param required true unless given; false when every sink is exact whatever the batches are: a log on which the
   * plan is costly may then leave it out.
   */
  plan(batch: BatchRange, required?: boolean): Promise<void>;
  /**
   * Makes a batch's records visible and its checkpoint durable, both or neither (`commits/N`).
   *
   * After any error the committer is done for: close it, open another and look at what is committed.
   * `STALE_MEMBERSHIP` alone is different: nothing was written, and after `renew` the same call may
   * succeed.
   *
   * @throws {LogError} `FENCED` when another owner took over: nothing was written.
   * `STALE_MEMBERSHIP` when the group moved on to another generation.
   */
  commit(
    batch: BatchRange,
    checkpoint: Omit<Checkpoint, "batchId">,
    records: readonly OutputRecord[],
    options?: CommitOptions,
  ): Promise<void>;
  /** A new generation of the same membership (a rebalance that left the partition where it was). */
  renew(membership: Membership): void;
  /** Frees what it holds. */
  close(): Promise<void>;
}

/**
 * What went wrong, for programs. `REFUSED`: the topic's rules do not allow the record. `UNSUPPORTED`: the server
 * lacks what is needed.
 */
export type LogErrorCode =
  | "UNREACHABLE"
  | "AUTHENTICATION_FAILED"
  | "TOPIC_MISSING"
  | "PARTITION_MISSING"
  | "OFFSET_OUT_OF_RANGE"
  | "TOO_LARGE"
  | "REFUSED"
  | "UNSUPPORTED"
  | "FENCED"
  | "OWNED"
  | "STALE_MEMBERSHIP"
  | "CHECKPOINT_GAP"
  | "CHECKPOINT_CORRUPT"
  | "CHECKPOINT_NEWER"
  | "CHECKPOINT_CHANGED"
  | "DISK_FULL"
  | "DELETED"
  | "NO_HANDLES"
  | "CLOSED"
  | "INVALID"
  | "INTERNAL";

/** An error of the log. */
export class LogError extends Error {
  override readonly name = "LogError";
  readonly code: LogErrorCode;
  /** Trying the same again later may succeed. */
  readonly retryable: boolean;
  /** With `OFFSET_OUT_OF_RANGE`: what the partition holds. */
  readonly range?: OffsetRange;

  constructor(
    code: LogErrorCode,
    message: string,
    options: { retryable?: boolean; range?: OffsetRange; cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.retryable = options.retryable ?? (code === "UNREACHABLE");
    if (options.range !== undefined) this.range = options.range;
  }
}
