// Messages between driver and executors: plain data that can be sent to workers.
import { given } from "../base/options.ts";
import { isA, messageOf, nameOf, type Place, placeOf, read, stackOf } from "../base/errors.ts";
import { isRetryable } from "../base/wait.ts";
import {
  type FailedInput,
  OperatorError,
  type OperatorErrorPolicy,
} from "../definition/operator_error.ts";
import { SinkFailedError } from "../engine/sinks.ts";
import type { DeadInput } from "../engine/dead_inputs.ts";
import type { Held, StopMode } from "../engine/options.ts";
import type { Measurements } from "../engine/reporter.ts";
import type { BatchRange, Membership, ReadProblem } from "../log/log.ts";
import type { Alignment } from "../definition/align.ts";
import type { OverloadPolicy } from "../definition/overload.ts";
import type { Needs, PlanAccess } from "../definition/plan_access.ts";
import type { Places } from "../definition/places.ts";
import type { GivenOptions, QueryModule } from "../definition/query_options.ts";
import {
  NO_TOTALS,
  type QueryTotals,
  type StreamingQueryProgress,
} from "../definition/progress.ts";
import type { ReadStreamOptions } from "../definition/source_options.ts";

/** A query in the form that executors load. */
export interface QuerySpec {
  /** Name of the query in lanes and checkpoints. */
  readonly name: string;
  readonly topic: string;
  /** `all` (default) shares the partitions with the group; an array reads only these. */
  readonly partitions?: "all" | readonly number[];
  /**
   * URL of the module that exports the definition as default; or that module itself, which only an executor
   * in the main thread can run, since functions cannot cross to workers.
   */
  readonly module: string | QueryModule;
  /** Group whose offsets are the query's checkpoint. */
  readonly group: string;
  /** Sink URIs that replace the definition's own sinks; empty keeps those. */
  readonly sinks: readonly string[];
  /** URIs of additional sinks, which get alerts alone. */
  readonly alertSinks?: readonly string[];
  readonly overload?: OverloadPolicy;
  readonly trigger?: string;
  readonly source?: ReadStreamOptions;
  /** For parameterised queries. */
  readonly options?: GivenOptions;
  /** What its executors need, if known before loading. */
  readonly needs?: Needs;
}

/** Common configuration of a driver's executors. */
export interface ExecutorConfig {
  readonly log: string;
  readonly checkpointDir?: string;
  readonly progressIntervalMs: number;
}

/** What an executor reports of a loaded query. */
export interface LoadedQuery {
  /** The plan, as text. */
  readonly plan: string;
  /** Whether it ends by itself: its trigger is `available-now`, or its read has an end. */
  readonly finite: boolean;
  /** Names of the operators, in stream order. */
  readonly steps: readonly string[];
  readonly onOperatorError: OperatorErrorPolicy;
  /** What its sinks and operators access. */
  readonly access: PlanAccess;
  /** Remarks of its operators for the user. */
  readonly remarks: readonly string[];
  /** Topics that its sinks write to. */
  readonly topics: readonly string[];
  /** Checkpoint folder that it names. */
  readonly checkpointLocation?: string;
  /** Zones and lines that it watches. */
  readonly places?: Places;
  /** Set if its lanes read a second partition (`align`). */
  readonly aligns?: Alignment | undefined;
}

/** An error as plain data. */
export interface PlainError {
  readonly name: string;
  readonly message: string;
  readonly stack?: string;
  /** Error code, e.g. of a `LogError`. */
  readonly code?: string;
  readonly retryable: boolean;
  /** The batch that was running. */
  readonly batch?: BatchRange;
  /** The input that an operator failed on, dead-lettered after this many tries. */
  readonly failed?: FailedInput & { readonly tries?: number; readonly why: string };
  /** URI of the failed sink. */
  readonly sink?: string;
  /** Name of the failed operator, with or without an input. */
  readonly operator?: string;
  /** Place in the user's source, if known. */
  readonly place?: Place;
}

const COUNTERS = [
  ...["frames", "outputs", "dropped", "deadLettered", "gaps", "duplicates", "orderViolations"],
  ...["late", "ahead", "repaired", "lost", "noKeyframe"],
] as const satisfies readonly (keyof QueryTotals)[];

/** Layout of the 64-bit cells shared by a lane's runs. */
export const CELL = {
  /** Number of the run that may commit; 0 if none may. */
  run: 0,
  /** 1 while a batch runs. */
  active: 1,
  /** 1 while a function of a sink runs. */
  sink: 2,
  /** From here on: totals of committed batches over all runs. */
  totals: 3,
} as const;

/** Shared by the runs of a lane, in all threads: see `CELL`. */
export type Cells = BigInt64Array<SharedArrayBuffer>;

export function newCells(): Cells {
  const length = CELL.totals + COUNTERS.length;
  return new BigInt64Array(new SharedArrayBuffer(length * BigInt64Array.BYTES_PER_ELEMENT));
}

/** Returns a function that adds the growth of a run's totals to the cells of its lane. */
export function addTotals(cells: Cells): (totals: QueryTotals) => void {
  let before = NO_TOTALS;
  return (totals) => {
    for (const [i, name] of COUNTERS.entries()) {
      const more = (totals[name] ?? 0) - (before[name] ?? 0);
      Atomics.add(cells, CELL.totals + i, BigInt(more));
    }
    before = totals;
  };
}

/** Totals of all runs of a lane. */
export function totalsIn(cells: Cells): QueryTotals {
  const counts = COUNTERS.map((name, i) => [name, Number(Atomics.load(cells, CELL.totals + i))]);
  return { ...NO_TOTALS, ...Object.fromEntries(counts) };
}

/** Messages from the driver. Numbers of lanes and plans are unique within a driver. */
export type ToExecutor =
  | { readonly type: "open"; readonly config: ExecutorConfig }
  | { readonly type: "load"; readonly plan: number; readonly spec: QuerySpec }
  | { readonly type: "unload"; readonly plan: number }
  | {
    readonly type: "start";
    readonly lane: number;
    /** The plan loaded under this number. */
    readonly plan: number;
    readonly partition: number;
    readonly runId: string;
    readonly membership?: Membership;
    /** Inputs that earlier runs have failed on too often. */
    readonly deadInputs?: readonly DeadInput[];
    /** See `ExecutionOptions.foundLater`. */
    readonly foundLater?: boolean;
    readonly cells: Cells;
  }
  | { readonly type: "stop"; readonly lane: number; readonly mode: StopMode }
  | { readonly type: "renew"; readonly lane: number; readonly membership: Membership }
  | { readonly type: "close" };

/** Messages from an executor. */
export type FromExecutor =
  | { readonly type: "ready" }
  | { readonly type: "unusable"; readonly error: PlainError }
  | { readonly type: "loaded"; readonly plan: number; readonly query: LoadedQuery }
  | { readonly type: "unloadable"; readonly plan: number; readonly error: PlainError }
  | { readonly type: "started"; readonly lane: number; readonly id: string; readonly next?: number }
  | {
    readonly type: "progress";
    readonly lane: number;
    readonly progress: StreamingQueryProgress;
    readonly measurements: Measurements;
  }
  /** Lane 0: unknown lane. */
  | { readonly type: "report"; readonly lane: number; readonly message: string }
  /** A problem that blocks reading; without one, reading works again. */
  | { readonly type: "problem"; readonly lane: number; readonly problem?: ReadProblem }
  | { readonly type: "held"; readonly lane: number; readonly held: Held }
  /** A call that hangs; without a message, none does any more. */
  | { readonly type: "waiting"; readonly lane: number; readonly message?: string }
  | { readonly type: "dead-input"; readonly lane: number; readonly error: PlainError }
  | {
    readonly type: "stopped";
    readonly lane: number;
    readonly error?: PlainError;
  }
  /** User code has ended the executor. */
  | { readonly type: "exited" }
  | { readonly type: "closed" };

export type LaneMessage = Extract<FromExecutor, { readonly lane: number }>;

/** Converts any thrown value to plain data, with its causes in the message. */
export function plainError(error: unknown): PlainError {
  let message = messageOf(error);
  for (
    let cause = read(error, "cause"), depth = 0;
    depth < 8;
    cause = read(cause, "cause"), depth++
  ) {
    if (!isA(cause, Error)) break;
    const text = messageOf(cause);
    if (!message.includes(text)) message += `: ${text}`;
  }
  const stack = stackOf(error);
  const code = read(error, "code");
  return {
    name: isA(error, Error) ? nameOf(error) : "Error",
    message,
    ...given({ stack, code: typeof code === "string" ? code : undefined }),
    retryable: isRetryable(error),
    ...details(error),
  };
}

/** Recreates an error, except for its class. */
export function errorOf({ name, message, stack, code }: PlainError): Error {
  return Object.assign(new Error(message), { name, ...given({ stack, code }) });
}

function details(error: unknown): Pick<PlainError, "failed" | "operator" | "sink" | "place"> {
  const place = placeOf(error);
  const at = place === undefined ? {} : { place };
  if (isA(error, SinkFailedError)) return { ...at, sink: error.sink };
  if (!isA(error, OperatorError)) return at;
  const { operator, input, tries, cause } = error;
  if (input === undefined) return { ...at, operator };
  const why = messageOf(cause);
  return { ...at, operator, failed: { ...input, why, ...(tries === undefined ? {} : { tries }) } };
}
