// The interface between sinks and the engine.
import type { Clock } from "../base/clock.ts";
import type { Output } from "./frame.ts";
import type { BatchRange, OutputRecord } from "../log/log.ts";

/**
 * - `live`: shown immediately, without exactly-once guarantees (a browser, a terminal);
 * - `exactly-once`: after any crash the sink contains every output of a committed batch once;
 * - `at-least-once`: outputs may be repeated after a crash, but none is missing (a webhook).
 */
export type Delivery = "live" | "exactly-once" | "at-least-once";

/** The environment of a sink's task, and its partition's checkpoint. */
export interface SinkContext {
  readonly query: string;
  readonly topic: string;
  readonly partition: number;
  /**
   * Source offsets below this one are committed. Existing outputs whose last offset is lower stay;
   * all others belong to an uncommitted batch, and the sink removes them. On a first start it is
   * where the query begins.
   */
  readonly committedEnd: number;
  /**
   * Id of the last committed batch, −1 if none. It identifies the committed outputs exactly, while
   * a window that closed late, by a timer or a frame of a later batch, has a last offset below
   * `committedEnd` before it is committed.
   */
  readonly committedBatch: number;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** Prints a message for the user, attributed to this streaming query. */
  readonly report: (message: string) => void;
}

/** A destination of outputs. `open` creates the task that serves one partition. */
export interface Sink<T = Output> {
  /** As on the command line: `display`, `images:DIR`, `topic:NAME`, … without secrets. */
  readonly uri: string;
  readonly delivery: Delivery;
  /**
   * Where it writes, as a path: a query has no two sinks with the same place. Absent: what follows the colon of
   * `uri`, of an `exactly-once` sink.
   */
  readonly place?: string;
  /** Topics that `records` writes to; the committer creates them. */
  readonly topics?: readonly string[];
  /** True if the sink needs a rerun batch to have the same offsets (`foreachBatch`). */
  readonly needsPlan?: boolean;
  /** True if its outputs are shown in the viewer (`display`). */
  readonly shows?: boolean;
  /** True if it calls code that must not run twice at once, even after a restart elsewhere. */
  readonly exclusive?: boolean;
  /**
   * Permissions that it needs: folders that it writes to, in which `{query}` stands for the query's
   * name, and hosts that it connects to (`host:port`). Absent: unknown.
   */
  readonly opens?: { readonly writes?: readonly string[]; readonly reaches?: readonly string[] };
  /** Throws if it cannot accept an output, as a failure of the operator that emitted it. */
  check?(output: T): void;
  /** Creates the task of one partition, at each start of its query. */
  open(context: SinkContext): SinkTask<T> | Promise<SinkTask<T>>;
}

/**
 * A sink writing one partition. For each batch the engine calls `write` one or more times, in
 * order, then `flush`, then commits the checkpoint (together with `records`), then `committed`.
 *
 * Obligations of `exactly-once`: what `write` did before the commit of its batch must not survive a
 * restart (see `committedEnd`), or be replaced by the same bytes; `flush` returns when the batch's
 * outputs survive a crash of the machine. A task that was replaced by a newer owner (a paused
 * process that resumes) must not damage the newer owner's files.
 */
export interface SinkTask<T = Output> {
  /** Called per output for `live` sinks, per batch for others. The partition waits for it. */
  write?(outputs: readonly T[], batch: BatchRange): void | Promise<void>;
  /** Records for topics of the source's log, committed atomically with the checkpoint. */
  records?(outputs: readonly T[], batch: BatchRange): readonly OutputRecord[];
  /** Resolves when all outputs of the batch survive a crash. */
  flush?(batch: BatchRange): void | Promise<void>;
  /** The batch is committed: it will not be run again. */
  committed?(batch: BatchRange): void | Promise<void>;
  /**
   * The oldest source offset whose outputs a new task would need to continue from here (an encoder
   * within a group of pictures); undefined if none. Called between `flush` and the commit. The
   * checkpoint restarts at the smallest of all operators' and sinks' offsets.
   */
  restartOffset?(): number | undefined;
  /**
   * Passes recomputed outputs of committed batches after a restart, before the first `write`, to a
   * sink that requested them with `restartOffset`. The sink rebuilds its state from them and writes
   * nothing. They may start earlier than requested (another part of the query needed them) or later
   * (the log has deleted them).
   */
  refeed?(outputs: readonly T[]): void | Promise<void>;
  /** Called once, after the last batch, whether the query stops or fails. */
  close?(): void | Promise<void>;
}
