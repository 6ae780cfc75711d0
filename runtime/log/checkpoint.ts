// Checkpoints: what a log keeps of each streaming query, and who may change it. `tests/contracts/` holds
// every implementation to it.
import type { Membership, OutputRecord } from "./records.ts";

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
  /** Why the log cannot say who the owner is, if it cannot. */
  readonly ownerUnknown?: string;
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

/** Compares by group, query, topic and partition, as listings are sorted. */
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
        ...writtenBy(state),
      },
    }),
    ...(planned && { planned }),
  };
}

/** The writer of a state, as a part of its listing; nothing where the state does not name it. */
function writtenBy(state: Uint8Array | undefined): { readonly writer?: CheckpointWriter } {
  if (state === undefined) return {};
  try {
    const { writer } = JSON.parse(new TextDecoder().decode(state)) as { writer?: unknown };
    return isWriter(writer) ? { writer } : {};
  } catch {
    return {}; // Not the engine's state: a test's, or another program's.
  }
}

function isWriter(value: unknown): value is CheckpointWriter {
  return typeof value === "object" && value !== null && "version" in value &&
    typeof value.version === "string" && "steps" in value && Array.isArray(value.steps);
}
