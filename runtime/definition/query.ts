// Query definitions: stream → window → processing → sinks. A definition is a description; the
// runtime makes one streaming query of it for each partition.
import { oneOf, optionFaults, shown, TEXT } from "../base/options.ts";
import type { AlignOptions, OtherPartition, Pair } from "./align.ts";
import type { Frame, Output, Window } from "./frame.ts";
import type { Operator } from "./operator.ts";
import { alignOperator } from "../operators/align.ts";
import { filterOperator, mapOperator } from "../operators/functions.ts";
import { type Observations, observeOperator } from "../operators/observe.ts";
import { stateOperator, type StateProcessor } from "../operators/state.ts";
import { windowOperator } from "../windows/window_operator.ts";
import { checkOperatorErrors, type OperatorErrorOption } from "./operator_error.ts";
import { checkOverload, type OverloadPolicy } from "./overload.ts";
import { checkSinks, checkSteps, type QueryPlan } from "./plan.ts";
import type { Sink } from "./sink.ts";
import { checkQueryName, checkReadOptions, type ReadStreamOptions } from "./source_options.ts";
import { checkTrigger, type Trigger, type TriggerSpec } from "./trigger.ts";
import type { WindowOptions } from "../windows/window_options.ts";

/** How a step is known. */
export interface StepOptions {
  /** Name under which a checkpoint keeps the step's state; the operator's own unless given. */
  readonly name?: string;
  /** `drop` drops the state that a checkpoint holds under this name, once. */
  readonly state?: "drop";
}

/**
 * Begins a query.
 *
 * @param name letters, digits, `-` and `_`: it names the checkpoint, so keep it.
 * @throws {RangeError} when the name is of another form.
 * @example
 * ```ts
 * import { consoleSink, query } from "../mod.ts";
 *
 * export default query("sizes")
 *   .readStream({ startingOffsets: "earliest" })
 *   .filter((frame) => frame.value.length > 0)
 *   .writeStream(consoleSink());
 * ```
 */
export function query(name: string): QueryBuilder {
  return new QueryBuilder(checkQueryName(name));
}

/** A query with a name and nothing else. */
export class QueryBuilder {
  readonly #name: string;

  constructor(name: string) {
    this.#name = name;
  }

  /**
   * Reads the topic's frames, each partition in offset order.
   *
   * @throws {RangeError} naming every fault of the options, or that `queryName` is no name.
   */
  readStream(options: ReadStreamOptions = {}): FrameStream {
    const source = checkReadOptions(options);
    return new FrameStream(source.queryName ?? this.#name, source, []);
  }
}

/** A stream of `T`, within one partition in order. */
export class Stream<T> {
  protected readonly queryName: string;
  protected readonly source: ReadStreamOptions;
  protected readonly operators: readonly Operator<unknown, unknown>[];

  constructor(
    name: string,
    source: ReadStreamOptions,
    operators: readonly Operator<unknown, unknown>[],
  ) {
    this.queryName = name;
    this.source = source;
    this.operators = operators;
  }

  /**
   * Applies an operator. One that takes something else than `T` does not compile.
   *
   * @throws {RangeError} when the step's options are not what is accepted.
   */
  process<Out>(operator: Operator<T, Out>, step: StepOptions = {}): Stream<Out> {
    const named = erase(withStep(operator, step));
    return new Stream<Out>(this.queryName, this.source, [...this.operators, named]);
  }

  /** Replaces each item by what `transform` makes of it. */
  map<Out>(transform: (item: T) => Out | Promise<Out>): Stream<Out> {
    return this.process(mapOperator(transform));
  }

  /** Keeps the items for which `predicate` is true. */
  filter(predicate: (item: T) => boolean | Promise<boolean>): Stream<T> {
    return this.process(filterOperator(predicate));
  }

  /**
   * Keeps metrics of what passes, from one progress report to the next: they stand in
   * `observedMetrics` under this name, and on `/metrics` as `framelane_observed_NAME_METRIC`.
   *
   * @throws {RangeError} naming every name or metric that is none.
   * @example
   * ```ts
   * import { display, query } from "../mod.ts";
   *
   * export default query("sizes").readStream()
   *   .observe("images", { frames: "count", largest: { max: (frame) => frame.value.length } })
   *   .writeStream(display());
   * ```
   */
  observe(name: string, observations: Observations<T>): Stream<T> {
    return this.process(observeOperator(name, observations));
  }

  /**
   * Processes with a state of its own in each partition, and timers. The state is part of the
   * checkpoint, by the processor's name: a few kilobytes of JSON at most.
   */
  transformWithState<State, Out>(
    processor: StateProcessor<State, T, Out>,
    step: StepOptions = {},
  ): Stream<Out> {
    return this.process(stateOperator(processor), step);
  }

  /**
   * Ends the query in one or several sinks, each of which gets every output.
   *
   * @throws {RangeError} when there is none, or one that is no sink.
   */
  writeStream(
    ...sinks: T extends Output ? Sink<T>[] | Sink<Output>[] : Sink<T>[]
  ): QueryDefinition {
    return new QueryDefinition({
      name: this.queryName,
      source: this.source,
      operators: this.operators,
      sinks: sinks as unknown as Sink<unknown>[],
      trigger: { kind: "asap" },
      overload: { kind: "wait" },
      onOperatorError: checkOperatorErrors("dead-letter"),
    });
  }
}

/** A stream of frames, which can be cut into windows. */
export class FrameStream extends Stream<Frame> {
  /** Cuts the stream into windows: ordered lists of frames. */
  window(options: WindowOptions, step: StepOptions = {}): Stream<Window> {
    return this.process(windowOperator(options), step);
  }

  /**
   * Pairs each frame with the nearest one of another partition, by capture time. Pairs come in order, a
   * frame is in one at most, and frames without a partner go no further.
   *
   * @param other the other camera's partition, for all lanes or for each by its own partition.
   * @throws {RangeError} naming what is wrong with them.
   * @example
   * ```ts
   * import { events, query } from "../mod.ts";
   *
   * export default query("stereo").readStream()
   *   .align({ 0: 1 }, { toleranceMs: 20 }) // CAMERA-1 with CAMERA-2
   *   .map((pair) => ({ ...pair, result: { scores: { apart: pair.other.timestamp - pair.timestamp } } }))
   *   .writeStream(events({ file: "pairs.jsonl" }));
   * ```
   */
  align(other: OtherPartition, options: AlignOptions): Stream<Pair> {
    return this.process(alignOperator(other, options));
  }
}

/** A whole query, ready to be run on any number of partitions. */
export class QueryDefinition {
  readonly plan: QueryPlan;

  constructor(plan: QueryPlan) {
    checkSteps(plan);
    checkSinks(plan);
    this.plan = plan;
  }

  /**
   * When batches are taken: `asap`, `interval:500ms`, `available-now`, `once`.
   *
   * @throws {RangeError} when it is none of these.
   */
  trigger(trigger: Trigger | TriggerSpec): QueryDefinition {
    return new QueryDefinition({ ...this.plan, trigger: checkTrigger(trigger) });
  }

  /**
   * What happens when frames come faster than they are processed.
   *
   * @throws {RangeError} when the policy is not one of these.
   */
  overload(policy: OverloadPolicy | OverloadPolicy["kind"]): QueryDefinition {
    return new QueryDefinition({ ...this.plan, overload: checkOverload(policy) });
  }

  /**
   * What happens when an operator throws: `dead-letter` (default), `restart` or `stop`.
   *
   * @throws {RangeError} when the policy is not one of these.
   * @example
   * ```ts
   * import { consoleSink, query } from "../mod.ts";
   *
   * export default query("gauge").readStream().map((frame) => frame).writeStream(consoleSink())
   *   .onOperatorError({ kind: "dead-letter", tries: 5, maxInARow: 100 });
   * ```
   */
  onOperatorError(policy: OperatorErrorOption): QueryDefinition {
    return new QueryDefinition({ ...this.plan, onOperatorError: checkOperatorErrors(policy) });
  }

  /**
   * Drops the state that a checkpoint holds of steps which the query no longer has; without it
   * such a checkpoint is refused.
   *
   * @throws {RangeError} when one is no text.
   */
  dropState(...names: string[]): QueryDefinition {
    if (!names.every(TEXT.takes)) {
      throw new RangeError(`Cannot drop the state of ${shown(names)}: expected names of steps`);
    }
    const droppedState = [...this.plan.droppedState ?? [], ...names];
    return new QueryDefinition({ ...this.plan, droppedState });
  }

  /** The plan for people, one line a step. */
  explain(): string {
    const { name, source, operators, sinks, trigger, overload, onOperatorError } = this.plan;
    const settings = Object.entries(source).map(([key, value]) =>
      `${key}=${JSON.stringify(value)}`
    );
    return [
      `query ${name}`,
      `  readStream ${settings.join(" ")}`.trimEnd(),
      ...operators.map((operator) =>
        `  ${operator.name}${operator.settings === undefined ? "" : ` ${operator.settings}`}${
          (operator.concurrency ?? 1) > 1 ? ` (${operator.concurrency} at once, in order)` : ""
        }`
      ),
      `  writeStream ${sinks.map((sink) => `${sink.uri} (${sink.delivery})`).join(", ")}`,
      `  trigger ${trigger.kind === "interval" ? `interval:${trigger.ms}ms` : trigger.kind}`,
      `  overload ${overload.kind}`,
      `  onOperatorError ${onOperatorError.kind}`,
    ].join("\n");
  }
}

function erase<In, Out>(operator: Operator<In, Out>): Operator<unknown, unknown> {
  return operator as unknown as Operator<unknown, unknown>;
}

/** The operator under another name, or one that drops its state. */
function withStep<In, Out>(operator: Operator<In, Out>, step: StepOptions): Operator<In, Out> {
  const faults = optionFaults(step, { name: TEXT, state: oneOf("drop") });
  if (typeof operator?.open !== "function" || !TEXT.takes(operator.name)) {
    faults.push(`expected an operator with a name and a function open, given ${shown(operator)}`);
  }
  if (faults.length > 0) throw new RangeError(`Cannot add a step: ${faults.join("; ")}`);
  const { name = operator.name, state } = step;
  if (step.name === undefined && state === undefined) return operator;
  return {
    ...operator,
    name,
    ...(state !== undefined ? { state } : {}),
    open: (context) => operator.open(context),
  };
}
