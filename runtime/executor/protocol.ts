// What driver and executors say to each other. Plain data: it crosses to workers.
import { isA, messageOf, nameOf, type Place, placeOf, read, stackOf } from "../base/errors.ts";
import { isRetryable } from "../base/wait.ts";
import {
  type FailedInput,
  OperatorError,
  type OperatorErrorPolicy,
} from "../definition/operator_error.ts";
import { SinkFailedError } from "../engine/sinks.ts";
import type { InputAside } from "../engine/put_aside.ts";
import type { Held } from "../engine/options.ts";
import type { StopMode } from "../engine/stop.ts";
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

/** A query as an executor loads it. */
export interface QuerySpec {
  /** Name under which lanes and checkpoints know it. */
  readonly name: string;
  /** The topic that it reads. */
  readonly topic: string;
  /** Shares all partitions with its group (default), or takes these alone. */
  readonly partitions?: "all" | readonly number[];
  /**
   * URL of the module whose default export is the definition; or that module, which only an executor in the
   * main thread can run: functions do not cross to workers.
   */
  readonly module: string | QueryModule;
  /** Group whose offsets are the query's checkpoint. */
  readonly group: string;
  /** Sink URIs in place of the definition's own; empty keeps those. */
  readonly sinks: readonly string[];
  /** URIs of sinks beside those. */
  readonly moreSinks?: readonly string[];
  readonly overload?: OverloadPolicy;
  readonly trigger?: string;
  readonly source?: ReadStreamOptions;
  /** For queries that take them. */
  readonly options?: GivenOptions;
  /** What its executors will need, where that is known before one has loaded it. */
  readonly needs?: Needs;
}

/** What all executors of a driver have in common. */
export interface ExecutorConfig {
  readonly log: string;
  readonly checkpointDir?: string;
  readonly progressIntervalMs: number;
}

/** What an executor knows of a query once it has loaded it. */
export interface LoadedQuery {
  /** The plan, for people. */
  readonly plan: string;
  /** Whether it ends by itself: its trigger is `available-now` or `once`. */
  readonly finite: boolean;
  /** Names of the operators, in stream order. */
  readonly steps: readonly string[];
  readonly onOperatorError: OperatorErrorPolicy;
  /** What its sinks and operators open. */
  readonly access: PlanAccess;
  /** What people should know of its operators. */
  readonly remarks: readonly string[];
  /** Topics that its sinks write to. */
  readonly topics: readonly string[];
  /** Zones and lines that it watches. */
  readonly places?: Places;
  /** Its lanes read a second partition beside their own. */
  readonly aligns?: Alignment | undefined;
}

/** An error as plain data. */
export interface PlainError {
  readonly name: string;
  readonly message: string;
  readonly stack?: string;
  /** `LogError.code`, where it is one. */
  readonly code?: string;
  readonly retryable: boolean;
  /** The batch that was under way. */
  readonly batch?: BatchRange;
  /** The input that an operator failed on, where it was one; put aside after this many tries. */
  readonly failed?: FailedInput & { readonly tries?: number; readonly why: string };
  /** URI of the sink that failed, where it was one. */
  readonly sink?: string;
  /** Name of the operator that failed, whether on an input or not. */
  readonly operator?: string;
  /** The user's own line that it comes from, where that is known. */
  readonly place?: Place;
}

const COUNTERS = [
  ...["frames", "outputs", "dropped", "deadLettered", "gaps", "duplicates", "orderViolations"],
  ...["late", "ahead", "repaired"],
] as const satisfies readonly (keyof QueryTotals)[];

/** What is where in the cells that a lane's runs share, 64 bits each. */
export const SHOWN = {
  /** See `ExecutionOptions.shown`. */
  offset: 0,
  /** Number of the run that may commit; 0 when none may. */
  run: 1,
  /** 1 while a batch runs. */
  active: 2,
  /** 1 while a function of a sink is at work. */
  sink: 3,
  /** From here on: what all runs have counted, of batches that are committed. */
  totals: 4,
  bytes: (4 + COUNTERS.length) * BigInt64Array.BYTES_PER_ELEMENT,
} as const;

/**
 * Adds what a run counts to the cells of its lane.
 *
 * @returns takes the totals of the run so far.
 */
export function addTotals(cells: BigInt64Array): (totals: QueryTotals) => void {
  let before = NO_TOTALS;
  return (totals) => {
    for (const [i, name] of COUNTERS.entries()) {
      const more = (totals[name] ?? 0) - (before[name] ?? 0);
      Atomics.add(cells, SHOWN.totals + i, BigInt(more));
    }
    before = totals;
  };
}

/** What all runs of a lane have counted. */
export function totalsIn(cells: BigInt64Array): QueryTotals {
  const counts = COUNTERS.map((name, i) => [name, Number(Atomics.load(cells, SHOWN.totals + i))]);
  return { ...NO_TOTALS, ...Object.fromEntries(counts) };
}

/** From the driver. The numbers of lanes and of plans are unique for the life of the driver. */
export type ToExecutor =
  | { readonly type: "open"; readonly config: ExecutorConfig }
  | { readonly type: "load"; readonly plan: number; readonly spec: QuerySpec }
  | { readonly type: "unload"; readonly plan: number }
  | {
    readonly type: "start";
    readonly lane: number;
    /** The plan that was loaded under this number. */
    readonly plan: number;
    readonly partition: number;
    readonly runId: string;
    readonly membership?: Membership;
    /** Inputs that earlier runs have failed on too often. */
    readonly aside?: readonly InputAside[];
    /** See `ExecutionOptions.foundLater`. */
    readonly foundLater?: boolean;
    /** Cells of a lane that outlive its runs: see `SHOWN`. */
    readonly shown: SharedArrayBuffer;
  }
  | { readonly type: "stop"; readonly lane: number; readonly mode: StopMode }
  | { readonly type: "renew"; readonly lane: number; readonly membership: Membership }
  | { readonly type: "close" };

/** From an executor. */
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
  /** Of lane 0: of none that is known. */
  | { readonly type: "report"; readonly lane: number; readonly message: string }
  /** What keeps a lane from reading on; without a problem it reads again. */
  | { readonly type: "problem"; readonly lane: number; readonly problem?: ReadProblem }
  | { readonly type: "held"; readonly lane: number; readonly held: Held }
  /** Work that has not ended for long; without a message it has. */
  | { readonly type: "waiting"; readonly lane: number; readonly message?: string }
  | { readonly type: "put-aside"; readonly lane: number; readonly error: PlainError }
  | {
    readonly type: "stopped";
    readonly lane: number;
    readonly error?: PlainError;
  }
  /** Code of a query has ended the executor. */
  | { readonly type: "exited" }
  | { readonly type: "closed" };

/** Makes plain data of anything that was thrown, its causes in the message. */
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
    ...(stack !== undefined ? { stack } : {}),
    ...(typeof code === "string" ? { code } : {}),
    retryable: isRetryable(error),
    ...details(error),
  };
}

/** The error as it was thrown in an executor, but for its class. */
export function errorOf({ name, message, stack, code }: PlainError): Error {
  return Object.assign(new Error(message), {
    name,
    ...(stack === undefined ? {} : { stack }),
    ...(code === undefined ? {} : { code }),
  });
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
