// Runs a query within a test, usually on an in-memory log.
import { repairsOf } from "../image/flaws.ts";
import { GroupTracker } from "../video/groups.ts";
import { type Clock, systemClock } from "../base/clock.ts";
import { given } from "../base/options.ts";
import { StreamingExecution } from "../engine/execution.ts";
import type { StopMode } from "../engine/options.ts";
import type { Output } from "../definition/frame.ts";
import type { DeadInput } from "../engine/dead_inputs.ts";
import type { BatchRange, Membership, ReadProblem, TopicLog } from "../log/log.ts";
import type { QueryTotals, StreamingQueryProgress } from "../definition/progress.ts";
import { overridePlan, type PlanOverrides } from "../definition/plan.ts";
import type { QueryDefinition } from "../definition/query.ts";
import { deadLetterRecord } from "../sinks/dead_letter.ts";
import { alertRecord, findingsRecord } from "../sinks/findings.ts";
import type { Sink } from "../definition/sink.ts";

/** Options for running a query in a test. */
export interface RunQueryOptions {
  readonly log: TopicLog;
  readonly topic?: string;
  readonly partition?: number;
  readonly group?: string;
  readonly clock?: Clock;
  readonly overrides?: PlanOverrides;
  /** Validates each frame's bytes; accepts everything by default. */
  readonly inspect?: (value: Uint8Array) => void;
  /** Called with a problem that stops reading, and without one when reading resumes. */
  readonly onProblem?: (problem?: ReadProblem) => void;
  readonly onProgress?: (progress: StreamingQueryProgress) => void;
  /** The group membership that owns the partition. */
  readonly membership?: Membership;
  readonly progressIntervalMs?: number;
  /** Inputs that earlier runs dead-lettered after repeated failures. */
  readonly deadInputs?: readonly DeadInput[];
  /** Returns whether the run still owns the partition. Default: always true. */
  readonly owns?: () => boolean;
}

/** A query running in a test. */
export interface RunningQuery {
  /** Resolves with the totals when the query ends; rejects with its error. */
  readonly ended: Promise<QueryTotals>;
  readonly published: Output[];
  readonly reports: string[];
  /** Stops it; `drain` by default. */
  stop(mode?: StopMode): void;
  /** Tells it that the group has a new generation. */
  renew(membership: Membership): void;
}

/** Starts a query on one partition. */
export function startQuery(definition: QueryDefinition, options: RunQueryOptions): RunningQuery {
  const { log, topic = "VideoStreaming", partition = 0, group = "test" } = options;
  const { onProgress, onProblem, deadInputs, owns, membership } = options;
  const published: Output[] = [];
  const reports: string[] = [];
  const stopped = { execution: undefined as StreamingExecution | undefined };
  const ended = (async () => {
    const reader = await log.reader();
    try {
      const execution = stopped.execution = new StreamingExecution({
        plan: overridePlan(definition.plan, options.overrides ?? {}),
        log,
        reader,
        topic,
        partition,
        group,
        runId: crypto.randomUUID(),
        clock: options.clock ?? systemClock,
        inspect: options.inspect ?? (() => {}),
        repairs: repairsOf,
        groups: () => new GroupTracker((message) => void reports.push(message)),
        deadLetter: deadLetterRecord,
        alertRecord: (output) => alertRecord(output, definition.plan.name),
        findingsRecord: (output) => findingsRecord(output, definition.plan.name),
        pictures: { show: (output) => void published.push(output) },
        report: (message) => void reports.push(message),
        ...given({ onProgress, onProblem, deadInputs, owns, membership }),
        onDeadInput: ({ message }) => void reports.push(`Dead-lettered: ${message}`),
        progressIntervalMs: options.progressIntervalMs ?? 0,
      });
      return await execution.run();
    } finally {
      await reader.close();
    }
  })();
  ended.catch(() => {});
  return {
    ended,
    published,
    reports,
    stop: (mode = "drain") => stopped.execution?.stop(mode),
    renew: (membership) => stopped.execution?.renew(membership),
  };
}

/** Runs a query on one partition until it ends. */
export async function runQuery(
  definition: QueryDefinition,
  options: RunQueryOptions,
): Promise<QueryTotals> {
  return await startQuery(definition, options).ended;
}

/** A sink that collects committed outputs and batches. */
export function collect<T = Output>(): Sink<T> & {
  readonly outputs: T[];
  readonly batches: BatchRange[];
} {
  const outputs: T[] = [];
  const batches: BatchRange[] = [];
  return {
    uri: "collect",
    delivery: "exactly-once",
    outputs,
    batches,
    open: () => {
      let uncommitted: T[] = [];
      return {
        write: (more) => {
          uncommitted.push(...more);
        },
        committed: (batch) => {
          outputs.push(...uncommitted);
          uncommitted = [];
          batches.push(batch);
        },
      };
    },
  };
}
