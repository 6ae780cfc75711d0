// What processing looks like to the engine. Operators are descriptions; `open` makes the task that
// works on one partition.
import type { Clock } from "../base/clock.ts";
import type { Alignment } from "./align.ts";
import type { Places } from "./places.ts";

/** A native library, by its package's name, that not every query needs. */
export type NativeLibrary = "onnxruntime-node";

/** Where an operator's task runs. */
export interface OperatorContext {
  /** Name of the query, e.g. `greyscale`. */
  readonly query: string;
  readonly topic: string;
  readonly partition: number;
  readonly clock: Clock;
  /** Aborts when the task must stop at once. */
  readonly signal: AbortSignal;
  /** What `snapshot()` returned before the restart; absent on a first start. */
  readonly state?: Uint8Array;
}

/** A metric of an operator's own, over some items. */
export interface Observed {
  readonly metric: string;
  readonly kind: "count" | "sum" | "avg" | "min" | "max";
  /** The sum of the items' values; with `min` and `max` the least or greatest of them. */
  readonly total: number;
  /** How many items had a value. */
  readonly count: number;
}

/** Frames that no window has. */
export interface LeftOut {
  /** Frames that came when their windows were closed. */
  readonly late: number;
  /** Frames whose capture time was too far ahead to be believed. */
  readonly ahead: number;
}

/**
 * One step of a query: takes `In`, gives `Out`.
 *
 * @example
 * ```ts
 * import type { Operator } from "./operator.ts";
 * import type { Frame } from "./frame.ts";
 *
 * const everySecond: Operator<Frame, Frame> = {
 *   name: "everySecond",
 *   open: () => ({ process: (frame) => (frame.offset % 2 === 0 ? [frame] : []) }),
 * };
 * ```
 */
export interface Operator<In, Out> {
  /** For people, and of an operator with `kind` the name under which a checkpoint keeps its state. */
  readonly name: string;
  /** For people: what may change while the state stays what it is. */
  readonly settings?: string;
  /** Zones and lines that it watches, for people who look at its pictures. */
  readonly places?: Places;
  /** Files and folders that it reads, such as a model's: what a run has to be allowed. */
  readonly reads?: readonly string[];
  /** Native libraries that it loads beside the codecs of frames: what a run has to be allowed. */
  readonly loads?: readonly NativeLibrary[];
  /** What people should know of it, reported once when its query is loaded. */
  readonly remarks?: readonly string[];
  /**
   * How many `process` calls of one partition may be under way at once; their outputs are emitted
   * in input order whatever order they finish in. 1 unless the operator says otherwise. An
   * operator that keeps state between calls leaves it at 1.
   */
  readonly concurrency?: number;
  /**
   * How a restart brings the operator back. `window`: by reading again from `restartOffset`, with
   * `snapshot` as the state before that frame. `state`: from `snapshot` alone; it is not shown
   * frames again. Absent: it keeps nothing between inputs.
   */
  readonly kind?: "window" | "state";
  /** Name under which its metrics stand in progress reports (`observedMetrics`). */
  readonly observes?: string;
  /** `drop` drops the state that a checkpoint holds under this name, once. */
  readonly state?: "drop";
  /** The lane reads a second partition beside its own, and gives it pairs. Only of a query's first step. */
  readonly aligns?: Alignment;
  /** Called once for each partition before its first input, and again after a restart. */
  open(context: OperatorContext): OperatorTask<In, Out> | Promise<OperatorTask<In, Out>>;
}

/** An operator at work on one partition. */
export interface OperatorTask<In, Out> {
  /**
   * Takes the next input, in offset order, and returns what it emits: none, one or several outputs.
   *
   * @throws {BadFrameError} costs this input only: it goes to the dead letters.
   * @throws any other error: the query does what its `onOperatorError` says. By default an operator
   * without `kind` is called again with the same input; one with `kind` is opened again from the checkpoint.
   */
  process(input: In): readonly Out[] | Promise<readonly Out[]>;
  /**
   * The oldest source offset that must be read again to bring a new task where this one is now;
   * undefined when it needs nothing but what comes next. Called between batches.
   */
  restartOffset?(): number | undefined;
  /**
   * State that the log cannot give back, a few kilobytes at most. Called between batches. Of a
   * `window` operator: its state just before the frame at `restartOffset`.
   */
  snapshot?(): Uint8Array | undefined;
  /** What it keeps, for progress reports: items, and bytes as far as they are known. */
  stateSize?(): { readonly items: number; readonly bytes: number };
  /** Frames of this run that no window has, although they were good: too late, or too far ahead. */
  leftOut?(): LeftOut;
  /** The metrics of what passed since the last call. */
  observed?(): readonly Observed[];
  /** Capture time up to which everything is done: what comes with an earlier one is late. */
  watermark?(): number | undefined;
  /**
   * A timer: the time (epoch milliseconds, of the context's clock) at which `onTimer` wants to be
   * called although no input came, or undefined.
   */
  nextTimer?(): number | undefined;
  /** Called when the time of `nextTimer` has come. */
  onTimer?(now: number): readonly Out[] | Promise<readonly Out[]>;
  /**
   * Called once when the query ends for good: its trigger has taken all there is (`finite`), or it was
   * stopped. Not when it fails, nor when the partition moves to another runtime, which continues from here.
   */
  finish?(finite?: boolean): readonly Out[] | Promise<readonly Out[]>;
  /** Called once, after the last input, whether the query stops or fails. Frees what the task holds. */
  close?(): void | Promise<void>;
}
