// What a sink looks like to the engine.
import type { Clock } from "../base/clock.ts";
import type { Output } from "./frame.ts";
import type { BatchRange, OutputRecord } from "../log/log.ts";

/**
 * - `live`: shown when it happens, not repeated exactly (a browser, a terminal);
 * - `exactly-once`: after any crash the sink holds every output of a committed batch once;
 * - `at-least-once`: outputs may be repeated after a crash, none is missing (a webhook).
 */
export type Delivery = "live" | "exactly-once" | "at-least-once";

/** Where a sink's task runs, and where its partition's checkpoint stands. */
export interface SinkContext {
  readonly query: string;
  readonly topic: string;
  readonly partition: number;
  /**
   * Source offsets below this one are committed: outputs whose last offset is below it stay, all
   * others that the sink finds of itself are of a batch that was never committed and are removed.
   * 0 on a first start.
   */
  readonly committedEnd: number;
  /**
   * Id of the last committed batch, −1 when none is. With it a sink knows exactly which of its
   * outputs are committed, also those whose offsets say less: a window that closed late, by a timer
   * or by a frame of a later batch, has a last offset below `committedEnd` before it is committed.
   * Without it offsets decide.
   */
  readonly committedBatch?: number;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** A line for people, attributed to this streaming query. */
  readonly report: (message: string) => void;
}

/** A place where outputs go. A description; `open` makes the task that serves one partition. */
export interface Sink<T = Output> {
  /** As given on the command line: `display`, `images:DIR`, `topic:NAME`, … without secrets. */
  readonly uri: string;
  readonly delivery: Delivery;
  /** Topics that `records` writes to; the committer makes sure that they exist. */
  readonly topics?: readonly string[];
  /** The sink relies on a re-run batch having the same offsets as before (`foreachBatch`). */
  readonly needsPlan?: boolean;
  /** Its outputs are shown on the wall (`display`). */
  readonly shows?: boolean;
  /** It calls code that must not run twice at once, even where a query starts again elsewhere. */
  readonly exclusive?: boolean;
  /**
   * What it opens, as a run has to be allowed to: folders that it writes to, in which `{query}` stands for the
   * query's name, and hosts that it reaches (`host:port`). Absent: unknown.
   */
  readonly opens?: { readonly writes?: readonly string[]; readonly reaches?: readonly string[] };
  /** Throws when the sink cannot take an output: it counts as a failure of the operator that gave it. */
  check?(output: T): void;
  /** Makes the task of one partition; called again for each start of its query. */
  open(context: SinkContext): SinkTask<T> | Promise<SinkTask<T>>;
}

/**
 * A sink at work on one partition. For each batch the engine calls `write` one or more times, in
 * order, then `flush`, then commits the checkpoint (together with `records`), then `committed`.
 *
 * Obligations of `exactly-once`: what `write` did before the commit of its batch must not survive a
 * restart (see `committedEnd`), or be replaced by the same bytes; `flush` returns when the batch's
 * outputs survive a crash of the machine. A task that was replaced by a newer owner (a paused
 * process that wakes up) must not damage the newer owner's files.
 */
export interface SinkTask<T = Output> {
  /** `live` sinks get outputs as they appear, the others all of a batch. May be asynchronous: the
   * engine waits, and the partition with it. */
  write?(outputs: readonly T[], batch: BatchRange): void | Promise<void>;
  /** Records for topics of the source's log, committed atomically with the checkpoint. */
  records?(outputs: readonly T[], batch: BatchRange): readonly OutputRecord[];
  /** Resolves when all outputs of the batch survive a crash. */
  flush?(batch: BatchRange): void | Promise<void>;
  /** The batch is committed: it will not be run again. */
  committed?(batch: BatchRange): void | Promise<void>;
  /**
   * The oldest source offset whose outputs a new task would need to see again to continue where this
   * one is (an encoder in the middle of a group of pictures); undefined when it needs nothing. Called
   * between `flush` and the commit. The checkpoint's restart is the smallest of those of operators and sinks.
   */
  restartOffset?(): number | undefined;
  /**
   * After a restart, before the first `write`: outputs of committed batches, computed again, in
   * order, for a sink that had asked for them with `restartOffset`. They are in the sink already:
   * it rebuilds its state from them and writes nothing. There may be older ones than it asked for
   * (another part of the query needed them), or fewer (the log no longer has them).
   */
  refeed?(outputs: readonly T[]): void | Promise<void>;
  /** Called once, after the last batch, whether the query stops or fails. */
  close?(): void | Promise<void>;
}
