// The checkpoint of one streaming query: the state saved with a commit, and the offset of a restart.
//
// A sink may need outputs again that were committed long ago (an unfinished video fragment), and operators
// can only be restored to the end of a batch. So the saved state is that of the newest batch end early enough
// for every sink: the base.
import { VERSION } from "../base/version.ts";
import type { Clock } from "../base/clock.ts";
import { given } from "../base/options.ts";
import { Notifier, waitAtMost } from "../base/wait.ts";
import {
  type BatchCommitter,
  type BatchRange,
  type CheckpointWriter,
  type CommitOptions,
  LogError,
  type OutputRecord,
  saysFirst,
} from "../log/log.ts";
import type { AlignedReader, SavedAlignment } from "./aligned_reader.ts";
import type { LastOutput } from "./identity.ts";
import type { FrameGroups } from "./options.ts";
import type { PipelineSnapshot } from "./pipeline.ts";
import { restorePoint } from "./restore_points.ts";
import type { SeenSequences } from "./sequence.ts";
import type { StepState } from "./step_states.ts";

interface SavedState {
  readonly base: number;
  readonly pipeline: string | null;
  /** The operators need nothing from before the commit: frames are read again for sinks alone. */
  readonly sinksOnly?: true;
  /** The cameras' sequence numbers. */
  readonly seen?: SeenSequences;
  /** The operators' state at the commit, where timers changed it since `base`: frames do not do that again. */
  readonly after?: string;
  /** The keyframe that the first frame to read depends on. */
  readonly keyframe?: number;
  /** The position in the second partition of a lane with two cameras. */
  readonly aligned?: SavedAlignment;
  /** The last output, where the next one may be of the same frame or window. */
  readonly last?: LastOutput;
  readonly writer: CheckpointWriter;
  /** How many partitions the topic had at the first start: those that come later are read from their beginning. */
  readonly partitions?: number;
}

/** State of a streaming query after a batch. */
export interface AfterBatch {
  readonly snapshot: PipelineSnapshot;
  readonly seen: SeenSequences;
  readonly last: LastOutput | undefined;
  /** How often timers or the end of the run have changed the operators, in this run. */
  readonly timers: number;
}

export interface ResumePoint {
  /**
   * Offset of the keyframe that the frame at `readFrom` depends on; `readFrom` where there is none.
   */
  readonly keyframe: number;
  readonly readFrom: number;
  /** Outputs caused by frames from this offset on are replayed to the sinks that need them. */
  readonly base: number;
  /** The operators' state, for `Pipeline`'s `open`. */
  readonly pipeline: string | undefined;
  /** For `Pipeline`'s `restoreStates`, once frames were read again. */
  readonly after: string | undefined;
  /** Frames are read again for sinks alone: the query can do without. */
  readonly sinksOnly: boolean;
  readonly seen: SeenSequences;
  readonly last: LastOutput | undefined;
  readonly aligned: SavedAlignment | undefined;
}

/** How long a commit waits for the newer generation of its group, milliseconds. */
const RENEWED_WITHIN_MS = 60_000;

const NO_STATES = JSON.stringify({ stages: [] });

const encoder = new TextEncoder();
const decoder = new TextDecoder();

export class Checkpointing {
  readonly resume: ResumePoint;
  /** Reads the second partition of a lane with two cameras. */
  aligned: Pick<AlignedReader, "savedAt"> | undefined;
  readonly #committer: BatchCommitter;
  readonly #clock: Clock;
  readonly #groups: FrameGroups | undefined;
  readonly #writer: CheckpointWriter;
  readonly #partitions: number | undefined;
  #history: { end: number; snapshot: PipelineSnapshot; timers: number }[];
  readonly #renewed = new Notifier();
  #renewals = 0;

  /**
   * @param start where a query without a checkpoint begins.
   * @param partitions how many the topic has, at a first start.
   */
  constructor(
    committer: BatchCommitter,
    start: number,
    clock: Clock,
    steps: readonly string[],
    groups?: FrameGroups,
    partitions?: number,
  ) {
    this.#committer = committer;
    this.#writer = { version: VERSION, steps };
    this.#groups = groups;
    this.#clock = clock;
    const { committed } = committer;
    const saved = committed?.state === undefined
      ? undefined
      : JSON.parse(decoder.decode(committed.state)) as SavedState;
    this.#partitions = saved?.partitions ?? partitions;
    const end = committed?.end ?? start;
    const base = saved?.base ?? end;
    const readFrom = Math.min(committed?.restart ?? end, base);
    this.resume = {
      keyframe: saved?.keyframe ?? readFrom,
      readFrom,
      base,
      pipeline: saved?.pipeline ?? undefined,
      after: saved?.after,
      sinksOnly: saved?.sinksOnly === true,
      seen: saved?.seen ?? [],
      last: saved?.last,
      aligned: saved?.aligned,
    };
    const restart = readFrom < base ? readFrom : undefined;
    const snapshot = { restart, state: this.resume.pipeline };
    this.#history = [{ end: base, snapshot, timers: saved?.after === undefined ? 0 : -1 }];
  }

  /** The batch that was planned before a crash and not committed. */
  get planned(): BatchRange | undefined {
    const { planned } = this.#committer;
    return planned === undefined || saysFirst(planned) ? undefined : planned;
  }

  /**
   * @param needed oldest offset whose outputs a sink must see again.
   * @param signal ends the wait for the group's next generation.
   */
  async commit(
    batch: BatchRange,
    { snapshot, seen, last, timers }: AfterBatch,
    needed: number | undefined,
    records: readonly OutputRecord[],
    options: CommitOptions,
    signal: AbortSignal,
  ): Promise<void> {
    const { end } = batch;
    const own = { end, snapshot, timers };
    const point = restorePoint(this.#history, own, Math.min(end, needed ?? end));
    const { end: base, snapshot: { restart, state } } = point;
    const readFrom = Math.min(base, restart ?? base);
    const keyframe = this.#groups?.neededFor(readFrom) ?? readFrom;
    const saved: SavedState = {
      base,
      pipeline: state ?? null,
      ...(base < end && snapshot.state === undefined ? { sinksOnly: true } : {}),
      ...(point.timers < timers ? { after: snapshot.state ?? NO_STATES } : {}),
      ...(seen.length === 0 ? {} : { seen }),
      ...(keyframe === readFrom ? {} : { keyframe }),
      ...(this.aligned === undefined ? {} : { aligned: this.aligned.savedAt(readFrom) }),
      ...(last === undefined || snapshot.state === undefined ? {} : { last }),
      writer: this.#writer,
      ...given({ partitions: this.#partitions }),
    };
    const checkpoint = {
      end,
      restart: readFrom,
      state: encoder.encode(JSON.stringify(saved)),
    };
    for (;;) {
      const renewals = this.#renewals;
      try {
        return await this.#committer.commit(batch, checkpoint, records, options);
      } catch (error) {
        if (
          error instanceof LogError && error.code === "TOO_LARGE" && checkpoint.state !== undefined
        ) {
          throw stateTooLarge(state, checkpoint.state.length, error);
        }
        if (!(error instanceof LogError) || error.code !== "STALE_MEMBERSHIP") throw error;
        if (renewals === this.#renewals) await this.#untilRenewed(signal, error);
      }
    }
  }

  /** Resets the operators' state to start at `offset`. */
  beginAt(offset: number): void {
    const snapshot = { restart: undefined, state: undefined };
    this.#history = [{ end: offset, snapshot, timers: 0 }];
  }

  /** The group has a new generation, and the partition is still ours. */
  renewed(): void {
    this.#renewals++;
    this.#renewed.notify();
  }

  /** @throws {LogError} `STALE_MEMBERSHIP` when no newer generation comes in time. */
  async #untilRenewed(signal: AbortSignal, stale: LogError): Promise<void> {
    const renewals = this.#renewals;
    await waitAtMost(RENEWED_WITHIN_MS, this.#renewed.wait(signal), this.#clock);
    if (this.#renewals > renewals) return;
    throw new LogError(
      "STALE_MEMBERSHIP",
      `${stale.message}; no newer generation came in ${RENEWED_WITHIN_MS / 1000} s`,
      { cause: stale, retryable: true },
    );
  }
}

/** Too large outputs are replaced by smaller ones: what does not fit by itself is the state. */
function stateTooLarge(pipeline = "{}", bytes: number, cause: LogError): LogError {
  const { stages = [] } = JSON.parse(pipeline) as { stages?: StepState[] };
  const steps = stages.filter(({ state }) => typeof state === "string")
    .map(({ name, state }) => `${name} ${Math.round(state!.length * 3 / 4)} bytes`);
  return new LogError(
    "TOO_LARGE",
    `Cannot save the state of this query, ${bytes} bytes (${
      steps.join(", ")
    }): ${cause.message}. ` +
      "Keep less state in these steps, for example by dropping old entries, and restart the query: it continues at its last checkpoint",
    { cause },
  );
}
