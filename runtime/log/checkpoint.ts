// Checkpoints: the state that a log keeps for each streaming query, and its ownership. `tests/contracts/`
// checks every implementation.
import type { Membership, OutputRecord } from "./records.ts";

/** The source offsets of a batch. */
export interface BatchRange {
  readonly batchId: number;
  /** First offset of the batch. */
  readonly start: number;
  /** One past its last offset. */
  readonly end: number;
}

/** Whether a plan only records where a query begins: the first batch, without frames. */
export function saysFirst({ batchId, start, end }: BatchRange): boolean {
  return batchId === 0 && start === end;
}

/** Identifies a checkpoint to take over. */
export interface CommitterOptions {
  readonly group: string;
  readonly query: string;
  readonly topic: string;
  readonly partition: number;
  /** As in `CheckpointFilter`. */
  readonly checkpointLocation?: string;
  /** Topics that the query's sinks write to: created on demand with the source's partition count. */
  readonly outputTopics?: readonly string[];
  /** Membership that owns this partition; absent for explicitly named partitions. */
  readonly membership?: Membership;
  /**
   * Takes over the checkpoint only if no runtime owns it (no group member holds the partition, no living
   * process has a committer open); otherwise throws `OWNED`. Kafka knows only members and open transactions:
   * an owner without membership is fenced between two batches. Default false.
   */
  readonly unowned?: boolean;
}

/** Guarantees that a commit may relax. */
export interface CommitOptions {
  /**
   * Repeating the batch is harmless, and the caller ensures that nothing else in this process commits for the
   * partition: a log may then trust the membership without checking. Default false.
   */
  readonly repeatable?: boolean;
}

/** The state of a streaming query. */
export interface Checkpoint {
  /** Batches 0 … `batchId` are committed; −1 if none is. */
  readonly batchId: number;
  /** Source offsets below this one are processed and their outputs committed. */
  readonly end: number;
  /** Where to re-read from to rebuild open windows; at most `end`. */
  readonly restart: number;
  /** Operators' state that cannot be rebuilt from the log. */
  readonly state?: Uint8Array;
}

/** Which checkpoints to list; default: all. */
export interface CheckpointFilter {
  readonly group?: string;
  readonly query?: string;
  readonly topic?: string;
  /**
   * Checkpoint folder that the query names, for the embedded log; that of `openLog` replaces it. Default: the log's
   * own.
   */
  readonly checkpointLocation?: string;
}

/** The version and definition that wrote a checkpoint. */
export interface CheckpointWriter {
  readonly version: string;
  /** Names of the query's steps, in order. */
  readonly steps: readonly string[];
}

/** A checkpoint in a listing. */
export interface CheckpointInfo {
  /** The owning group; on Kafka, lag tools show it under this name. */
  readonly group: string;
  readonly query: string;
  readonly topic: string;
  readonly partition: number;
  /** Absent if it cannot be read. */
  readonly queryId?: string;
  /** The last commit; absent before the first one. */
  readonly committed?: Omit<Checkpoint, "state"> & {
    readonly stateBytes: number;
    /** Absent if unknown: written by an older version, or with its state stored elsewhere. */
    readonly writer?: CheckpointWriter;
    /** How many partitions the topic had when the query first began on this one; absent if unknown. */
    readonly partitions?: number;
  };
  /** A planned batch that is not committed. */
  readonly planned?: BatchRange;
  /** The last known owner; `member` is its id in the group, if it joined one. */
  readonly owner?: { readonly epoch: number; readonly member?: string };
  /** Why the log cannot determine the owner. */
  readonly ownerUnknown?: string;
  /** Why the checkpoint is invalid: a query that opens it stops. */
  readonly fault?: string;
}

/** The owned checkpoint of one query on one partition. */
export interface BatchCommitter {
  /**
   * Random UUID created at the query's first start and stored with the checkpoint, so that it survives
   * restarts.
   */
  readonly queryId: string;
  /** The last commit; undefined on a first start. */
  readonly committed: Checkpoint | undefined;
  /** A planned batch that was never committed: it must run again with exactly these offsets. */
  readonly planned: BatchRange | undefined;
  /**
   * Whether the topic was deleted and created again since the last commit, as far as that is known: its offsets
   * are of other frames then. Commits from now on count for the topic that is there; while a batch is planned, from
   * the next call after its commit on. Absent where topics are not deleted.
   */
  recreated?(): Promise<boolean>;
  /**
   * Durably records the offsets of a batch (`offsets/N`). Ids are consecutive: any other id throws
   * `CHECKPOINT_GAP`. The first batch may be planned empty to record where the query begins (`saysFirst`); a
   * later plan with frames replaces it.
   *
   * @param required default true; false if every sink is exact whatever the batches: a log with costly plans
   * may then skip it
   */
  plan(batch: BatchRange, required?: boolean): Promise<void>;
  /**
   * Makes a batch's records visible and its checkpoint durable, atomically (`commits/N`).
   *
   * After any error the committer is unusable: close it, open another one and check what is committed. The
   * exception is `STALE_MEMBERSHIP`: nothing was written, and the same call may succeed after `renew`.
   *
   * @throws {LogError} `FENCED` if another owner took over: nothing was written. `STALE_MEMBERSHIP` if the
   * group moved on to another generation.
   */
  commit(
    batch: BatchRange,
    checkpoint: Omit<Checkpoint, "batchId">,
    records: readonly OutputRecord[],
    options?: CommitOptions,
  ): Promise<void>;
  /** Sets a new generation of the same membership, after a rebalance that kept the partition. */
  renew(membership: Membership): void;
  /** Releases its resources. */
  close(): Promise<void>;
}

/** Sort order of listings: group, query, topic, partition. */
export function byPlace(a: CheckpointInfo, b: CheckpointInfo): number {
  return compare(a.group, b.group) || compare(a.query, b.query) || compare(a.topic, b.topic) ||
    a.partition - b.partition;
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** The last commit and the planned batch, as listings show them. */
export function listed(
  { committed, planned }: { readonly committed?: Checkpoint; readonly planned?: BatchRange },
): Pick<CheckpointInfo, "committed" | "planned"> {
  const { state, ...rest } = committed ?? {};
  return {
    ...(committed && {
      committed: {
        ...rest as Omit<Checkpoint, "state">,
        stateBytes: state?.length ?? 0,
        ...notesIn(state),
      },
    }),
    ...(planned && { planned }),
  };
}

/** What a state says for its listing. */
function notesIn(
  state: Uint8Array | undefined,
): Pick<NonNullable<CheckpointInfo["committed"]>, "writer" | "partitions"> {
  if (state === undefined) return {};
  try {
    const { writer, partitions } = JSON.parse(new TextDecoder().decode(state));
    return {
      ...(isWriter(writer) ? { writer } : {}),
      ...(Number.isSafeInteger(partitions) ? { partitions } : {}),
    };
  } catch {
    return {}; // Not the engine's state: a test's, or another program's.
  }
}

function isWriter(value: unknown): value is CheckpointWriter {
  return typeof value === "object" && value !== null && "version" in value &&
    typeof value.version === "string" && "steps" in value && Array.isArray(value.steps);
}
