// The interface between operators and the engine. An operator is a description; `open` creates the
// task that processes one partition.
import type { Clock } from "../base/clock.ts";
import type { Alignment } from "./align.ts";
import type { Places } from "./places.ts";

/** A native library that only some queries need, by package name. */
export type NativeLibrary = "onnxruntime-node";

/** The environment of an operator's task. */
export interface OperatorContext {
  /** Name of the query, e.g. `greyscale`. */
  readonly query: string;
  readonly topic: string;
  readonly partition: number;
  readonly clock: Clock;
  /** Aborts when the task must stop immediately. */
  readonly signal: AbortSignal;
  /** The last `snapshot()` before a restart; absent on a first start. */
  readonly state?: Uint8Array;
}

/** A custom metric of an operator, over some items. */
export interface Observed {
  readonly metric: string;
  readonly kind: "count" | "sum" | "avg" | "min" | "max";
  /** The sum of the items' values; for `min` and `max` the smallest or largest. */
  readonly total: number;
  /** How many items had a value. */
  readonly count: number;
}

/** A metric of the items of both; `before` is of the same metric. */
export function combined(one: Observed, before: Observed | undefined): Observed {
  if (before === undefined) return one;
  const { metric, kind } = one;
  const total = kind === "min"
    ? Math.min(before.total, one.total)
    : kind === "max"
    ? Math.max(before.total, one.total)
    : before.total + one.total;
  return { metric, kind, total, count: before.count + one.count };
}

/**
 * What a function of a user returned as its outputs.
 *
 * @throws {TypeError} if it is not an array: text would become an output for each letter.
 */
export function arrayOf<T>(outputs: readonly T[]): readonly T[] {
  if (Array.isArray(outputs)) return outputs;
  throw new TypeError(`Cannot use ${typeof outputs} as outputs: expected an array`);
}

/** Counts of good frames that are in no window. */
export interface SkippedFrames {
  /** Frames that arrived after their windows had closed. */
  readonly late: number;
  /** Frames whose capture time was implausibly far ahead. */
  readonly ahead: number;
}

/**
 * One step of a query: turns `In` into `Out`.
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
  /** Display name; for an operator with `kind` also the name of its state in the checkpoint. */
  readonly name: string;
  /** Display text of the settings, which may change while the state remains valid. */
  readonly settings?: string;
  /** Zones and lines that it watches, to be drawn on its pictures. */
  readonly places?: Places;
  /** All labels that its objects may have; absent if unknown. */
  readonly labels?: readonly string[];
  /** Files and folders that it reads, such as a model: permissions that the run needs. */
  readonly reads?: readonly string[];
  /** Native libraries that it loads besides the image codecs: permissions that the run needs. */
  readonly loads?: readonly NativeLibrary[];
  /** Remarks for the user, reported once when its query is loaded. */
  readonly remarks?: readonly string[];
  /**
   * How many `process` calls of one partition may run at once; outputs are emitted in input order
   * in any case. 1 by default, and for operators that keep state between calls.
   */
  readonly concurrency?: number;
  /**
   * How a restart restores the operator. `window`: by rereading from `restartOffset`, with
   * `snapshot` as the state before that frame. `state`: from `snapshot` alone, without rereading.
   * Absent: it keeps nothing between inputs.
   */
  readonly kind?: "window" | "state";
  /** Name of its metrics in progress reports (`observedMetrics`). */
  readonly observes?: string;
  /** `drop` discards the state stored under this name, once. */
  readonly state?: "drop";
  /** Makes the lane read a second partition and pass pairs. Only for a query's first step. */
  readonly aligns?: Alignment;
  /** Called once per partition before its first input, and again after a restart. */
  open(context: OperatorContext): OperatorTask<In, Out> | Promise<OperatorTask<In, Out>>;
}

/** An operator processing one partition. */
export interface OperatorTask<In, Out> {
  /**
   * Processes the next input, in offset order, and returns any number of outputs.
   *
   * @throws {BadFrameError} dead-letters this input only.
   * @throws any other error is handled by the query's `onOperatorError`. By default an operator
   * without `kind` is called again with the same input; one with `kind` is reopened from the
   * checkpoint.
   */
  process(input: In): readonly Out[] | Promise<readonly Out[]>;
  /** Offset of the oldest input to see again after a restart, if any. Called between batches. */
  restartOffset?(): number | undefined;
  /**
   * State that cannot be recomputed from the log, a few kilobytes at most. Called between batches.
   * For a `window` operator: its state just before the frame at `restartOffset`.
   */
  snapshot?(): Uint8Array | undefined;
  /** Size of its state for progress reports: items, and bytes as far as known. */
  stateSize?(): { readonly items: number; readonly bytes: number };
  /** Good frames of this run that are in no window: too late, or too far ahead. */
  skipped?(): SkippedFrames;
  /** The metrics since the last call. */
  observed?(): readonly Observed[];
  /** Capture time up to which processing is complete: earlier frames are late. */
  watermark?(): number | undefined;
  /** When to call `onTimer`, epoch milliseconds by the context's clock; undefined for never. */
  nextTimer?(): number | undefined;
  /** Called at the time of `nextTimer`. */
  onTimer?(now: number): readonly Out[] | Promise<readonly Out[]>;
  /**
   * Called once when the query ends permanently: its trigger has processed all data (`finite`), or
   * it was stopped. Not called when it fails, or when the partition moves to another runtime.
   */
  finish?(finite?: boolean): readonly Out[] | Promise<readonly Out[]>;
  /** Called once, after the last input, whether the query stops or fails. Releases resources. */
  close?(): void | Promise<void>;
}
