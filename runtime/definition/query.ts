// Query definitions: stream → window → processing → sinks. The runtime starts one streaming query
// per partition from a definition.
import { optionFaults } from "../base/fields.ts";
import { given, oneOf, shown, TEXT, whole } from "../base/options.ts";
import type { AlignOptions, OtherPartition, Pair } from "./align.ts";
import type { Frame, Window } from "./frame.ts";
import type { Operator } from "./operator.ts";
import { alignOperator } from "../operators/align.ts";
import { filterOperator, mapOperator } from "../operators/functions.ts";
import { type Observations, observeOperator } from "../operators/observe.ts";
import { stateOperator, type StateProcessor } from "../operators/state.ts";
import { windowOperator } from "../windows/window_operator.ts";
import { checkOperatorErrors, type OperatorErrorOption } from "./operator_error.ts";
import { checkOverload, type OverloadPolicy } from "./overload.ts";
import { labelRemarks } from "./places.ts";
import { checkSinks, checkSteps, type QueryPlan } from "./plan.ts";
import type { Sink } from "./sink.ts";
import { checkQueryName, checkReadOptions, type ReadStreamOptions } from "./source_options.ts";
import { checkTrigger, type Trigger, type TriggerSpec } from "./trigger.ts";
import type { WindowOptions } from "../windows/window_options.ts";

/** The name and state of a step. */
export interface StepOptions {
  /** Name of the step's state in the checkpoint; the operator's name by default. */
  readonly name?: string;
  /** `drop` discards the state stored under this name, once. */
  readonly state?: "drop";
}

/**
 * Starts the definition of a query.
 *
 * @param name letters, digits, `-` and `_`; keep it, since it names the checkpoint
 * @throws {RangeError} if the name has another form.
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

/** A named query without a stream. */
export class QueryBuilder {
  readonly #name: string;

  constructor(name: string) {
    this.#name = name;
  }

  /**
   * Reads the topic's frames, each partition in offset order.
   *
   * @throws {RangeError} naming every invalid option, including `queryName`.
   */
  readStream(options: ReadStreamOptions = {}): FrameStream {
    const source = checkReadOptions(options);
    return new FrameStream(source.queryName ?? this.#name, source, []);
  }
}

/** A stream of `T`, in order within each partition. */
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
   * Applies an operator. An operator on another type does not compile.
   *
   * @throws {RangeError} if the step's options are invalid.
   */
  process<Out>(operator: Operator<T, Out>, step: StepOptions = {}): Stream<Out> {
    const known = this.operators.findLast(({ labels }) => labels !== undefined)?.labels;
    const named = withStep(withRemarks(operator, known), step);
    const operators = [...this.operators, named as unknown as Operator<unknown, unknown>];
    return new Stream<Out>(this.queryName, this.source, operators);
  }

  /** Replaces each item by the result of `transform`. */
  map<Out>(transform: (item: T) => Out | Promise<Out>): Stream<Out> {
    return this.process(mapOperator(transform));
  }

  /** Keeps the items for which `predicate` is true. */
  filter(predicate: (item: T) => boolean | Promise<boolean>): Stream<T> {
    return this.process(filterOperator(predicate));
  }

  /**
   * Computes metrics of the items between two progress reports, available in `observedMetrics`
   * under this name and on `/metrics` as `framelane_observed_NAME_METRIC`.
   *
   * @throws {RangeError} naming every invalid name or metric.
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

  /** Processes with state, a few kilobytes of JSON in the checkpoint, and timers. */
  transformWithState<State, Out>(
    processor: StateProcessor<State, T, Out>,
    step: StepOptions = {},
  ): Stream<Out> {
    return this.process(stateOperator(processor), step);
  }

  /**
   * Ends the query in one or more sinks, each of which receives every output.
   *
   * @throws {RangeError} if there are no sinks, or an invalid one.
   */
  writeStream(
    ...sinks: Sink<T>[]
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
   * Pairs each frame with the nearest one of another partition, by capture time. Pairs are emitted
   * in order, a frame is in at most one pair, and frames without a partner are skipped.
   *
   * @param other the other camera's partition, for all lanes or per lane by its own partition
   * @throws {RangeError} naming every invalid argument.
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

/** A complete query, which can run on any number of partitions. */
export class QueryDefinition {
  readonly plan: QueryPlan;

  /**
   * @param plan may come from another copy of this package, or be made by hand
   * @throws {RangeError} saying what cannot run
   */
  constructor(plan: QueryPlan) {
    const { name, source, operators, trigger, overload, onOperatorError } = plan;
    const own = {
      ...plan,
      name: checkQueryName(name),
      source: checkReadOptions(source),
      trigger: checkTrigger(trigger),
      overload: checkOverload(overload),
      onOperatorError: checkOperatorErrors(onOperatorError),
    };
    if (!Array.isArray(operators)) {
      throw new RangeError(`Cannot run query ${name}: expected a list of operators`);
    }
    for (const operator of operators) withStep(operator, {});
    checkSteps(own);
    checkSinks(own);
    this.plan = own;
  }

  /**
   * Sets when batches start: `asap`, `interval:500ms`, `available-now`, `once`.
   *
   * @throws {RangeError} for any other trigger.
   */
  trigger(trigger: Trigger | TriggerSpec): QueryDefinition {
    return this.#with({ trigger: checkTrigger(trigger) });
  }

  /**
   * Sets what happens when frames arrive faster than they are processed.
   *
   * @throws {RangeError} if the policy is invalid.
   */
  overload(policy: OverloadPolicy | OverloadPolicy["kind"]): QueryDefinition {
    return this.#with({ overload: checkOverload(policy) });
  }

  /**
   * Sets what happens when an operator throws: `dead-letter` (default), `restart` or `stop`.
   *
   * @throws {RangeError} if the policy is invalid.
   * @example
   * ```ts
   * import { consoleSink, query } from "../mod.ts";
   *
   * export default query("gauge").readStream().map((frame) => frame).writeStream(consoleSink())
   *   .onOperatorError({ kind: "dead-letter", tries: 5, maxInARow: 100 });
   * ```
   */
  onOperatorError(policy: OperatorErrorOption): QueryDefinition {
    return this.#with({ onOperatorError: checkOperatorErrors(policy) });
  }

  /**
   * Discards the stored state of steps that the query no longer has. Otherwise such a checkpoint is
   * rejected.
   *
   * @throws {RangeError} if a name is not text.
   */
  dropState(...names: string[]): QueryDefinition {
    if (!names.every(TEXT.takes)) {
      throw new RangeError(`Cannot drop the state of ${shown(names)}: expected names of steps`);
    }
    return this.#with({ droppedState: [...this.plan.droppedState ?? [], ...names] });
  }

  #with(parts: Partial<QueryPlan>): QueryDefinition {
    return new QueryDefinition({ ...this.plan, ...parts });
  }

  /** Describes the plan, one line per step. */
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

/** The operator with remarks about labels of its zones and lines that no earlier step finds. */
function withRemarks<In, Out>(
  operator: Operator<In, Out>,
  known: readonly string[] | undefined,
): Operator<In, Out> {
  if (known === undefined || operator?.places === undefined) return operator;
  const remarks = [...operator.remarks ?? [], ...labelRemarks(operator.places, known)];
  return changed(operator, { remarks });
}

/** All that an operator may say besides its name, perhaps by getters of its class. */
const SAID: { [Field in Exclude<keyof Operator<unknown, unknown>, "name" | "open">]: true } = {
  settings: true,
  places: true,
  labels: true,
  reads: true,
  loads: true,
  remarks: true,
  concurrency: true,
  kind: true,
  observes: true,
  state: true,
  aligns: true,
};

function changed<In, Out>(
  operator: Operator<In, Out>,
  parts: Partial<Operator<In, Out>>,
): Operator<In, Out> {
  const fields = Object.keys(SAID) as (keyof typeof SAID)[];
  const said = given(Object.fromEntries(fields.map((field) => [field, operator[field]])));
  return { name: operator.name, ...said, ...parts, open: (context) => operator.open(context) };
}

function withStep<In, Out>(operator: Operator<In, Out>, step: StepOptions): Operator<In, Out> {
  const faults = optionFaults(step, { name: TEXT, state: oneOf("drop") });
  if (typeof operator?.open !== "function" || !TEXT.takes(operator.name)) {
    faults.push(`expected an operator with a name and a function open, given ${shown(operator)}`);
  } else {
    const { concurrency, kind } = operator;
    const rows = { concurrency: whole(1), kind: oneOf("window", "state") };
    faults.push(...optionFaults({ concurrency, kind }, rows));
  }
  if (faults.length > 0) throw new RangeError(`Cannot add a step: ${faults.join("; ")}`);
  const { name, state } = step;
  return name ?? state ? changed(operator, given({ name, state })) : operator;
}
