// Stream tests as lists of actions: add frames, advance the clock, crash, restart, check. When a
// check fails, the message shows what the stream did.
import { given } from "../base/options.ts";
import type { StopMode } from "../engine/options.ts";
import type { Frame, Output } from "../definition/frame.ts";
import type { LogRecord } from "../log/log.ts";
import type { StreamingQueryProgress } from "../definition/progress.ts";
import type { PlanOverrides } from "../definition/plan.ts";
import type { QueryDefinition } from "../definition/query.ts";
import { FakeClock, settle } from "./fake_clock.ts";
import { MemoryLog } from "./memory_log.ts";
import { collect, type RunningQuery, startQuery } from "./run_query.ts";

/** A step of a stream test, made by the functions below. */
export type StreamStep =
  | {
    readonly kind: "add";
    readonly records: readonly Partial<LogRecord>[];
    readonly partition: number;
  }
  | { readonly kind: "start"; readonly overrides?: PlanOverrides }
  | { readonly kind: "stop"; readonly mode: StopMode }
  | { readonly kind: "crash" }
  | { readonly kind: "advance"; readonly ms: number }
  | { readonly kind: "expire"; readonly offset: number }
  | { readonly kind: "expect-failure"; readonly pattern: RegExp };

/** A check of the committed outputs. */
export interface StreamCheck<T> {
  readonly kind: "check";
  readonly expected: readonly unknown[];
  readonly view: (output: T) => unknown;
}

/** One line of a stream test. */
export type StreamAction<T = Output> = StreamStep | StreamCheck<T>;

/** Appends frames. A number is short for a frame with this capture time. */
export function addFrames(...frames: (number | Partial<LogRecord>)[]): StreamStep {
  return addFramesTo(0, ...frames);
}

/** Appends frames of another camera than the query's own, for `align`. */
export function addFramesTo(
  partition: number,
  ...frames: (number | Partial<LogRecord>)[]
): StreamStep {
  const records = frames.map((frame) => typeof frame === "number" ? { timestamp: frame } : frame);
  return { kind: "add", partition, records };
}

/** Checks all outputs committed so far, mapped by `view` (by default to frame offsets). */
export function checkAnswer<T = Output>(
  expected: readonly unknown[],
  view: (output: T) => unknown = (output) => (output as { offset?: number }).offset,
): StreamCheck<T> {
  return { kind: "check", expected, view };
}

/** Starts or restarts the query. */
export function startStream(overrides?: PlanOverrides): StreamStep {
  return { kind: "start", ...given({ overrides }) };
}

/** Stops the query after the current batch; with `move` another runtime continues. */
export function stopStream(mode: StopMode = "drain"): StreamStep {
  return { kind: "stop", mode };
}

/** Fails the next commit, like a process killed just before it. */
export function crash(): StreamStep {
  return { kind: "crash" };
}

/** Advances the clock. */
export function advanceClock(ms: number): StreamStep {
  return { kind: "advance", ms };
}

/** Deletes the frames below an offset, as retention does. */
export function expireFrames(offset: number): StreamStep {
  return { kind: "expire", offset };
}

/** Checks that the query failed with a message like this. */
export function expectFailure(pattern: RegExp): StreamStep {
  return { kind: "expect-failure", pattern };
}

class Crash extends Error {}

/**
 * Runs the actions on one partition of an in-memory log.
 *
 * @throws {Error} if a check fails: with expected and actual outputs, offsets, progress and
 * reports.
 * @example
 * ```ts
 * import { query } from "../mod.ts";
 * import { addFrames, checkAnswer, crash, startStream, testStream } from "../testing.ts";
 *
 * const even = query("even").readStream({ startingOffsets: "earliest" })
 *   .filter((frame) => frame.offset % 2 === 0);
 * await testStream((sink) => even.writeStream(sink), [
 *   startStream(),
 *   addFrames(0, 100, 200),
 *   checkAnswer([0, 2]),
 *   crash(),
 *   addFrames(300, 400),
 *   startStream(),
 *   checkAnswer([0, 2, 4]),
 * ]);
 * ```
 */
export async function testStream<T = Output>(
  define: (sink: ReturnType<typeof collect<T>>) => QueryDefinition,
  actions: readonly StreamAction<T>[],
): Promise<void> {
  const log = new MemoryLog();
  const partitions = actions.map((action) => action.kind === "add" ? action.partition : 0);
  await log.createTopic("VideoStreaming", Math.max(0, ...partitions) + 1);
  const clock = new FakeClock(1_000_000);
  const sink = collect<T>();
  const progress: StreamingQueryProgress[] = [];
  const reports: string[] = [];
  let running: RunningQuery | undefined;
  let failure: unknown;
  const describe = (action: StreamAction<T>, why: string) =>
    new Error([
      `Step ${actions.indexOf(action)} (${action.kind}): ${why}`,
      ...actions.map((one, index) =>
        `${one === action ? "=>" : "  "} ${index} ${JSON.stringify(one)}`
      ),
      `frames in the log: ${log.frames("VideoStreaming", 0).length}`,
      `batches: ${
        sink.batches.map(({ batchId, start, end }) => `${batchId}=[${start},${end})`).join(" ")
      }`,
      `failure: ${failure instanceof Error ? failure.message : "none"}`,
      `reports: ${reports.join(" | ") || "none"}`,
      `last progress: ${JSON.stringify(progress.at(-1) ?? null)}`,
    ].join("\n"));
  try {
    for (const action of actions) {
      switch (action.kind) {
        case "add": {
          const { partition } = action;
          const next = log.frames("VideoStreaming", partition).length;
          log.append(
            "VideoStreaming",
            partition,
            action.records.map((record, index) => ({
              key: null,
              value: new Uint8Array([next + index]),
              timestamp: 0,
              headers: {},
              ...record,
            })),
          );
          await settle();
          break;
        }
        case "start":
          failure = undefined;
          running = startQuery(define(sink), {
            log,
            clock,
            onProgress: (one) => void progress.push(one),
            ...given({ overrides: action.overrides }),
          });
          running.ended.catch((error) => failure = error);
          await settle();
          break;
        case "stop":
          running?.stop(action.mode);
          await running?.ended.catch(() => {});
          break;
        case "crash":
          log.fail = (point) => {
            if (point !== "before-commit") return;
            log.fail = () => {};
            throw new Crash("The process was killed");
          };
          break;
        case "advance":
          await clock.advance(action.ms);
          break;
        case "expire":
          log.expire("VideoStreaming", 0, action.offset);
          break;
        case "check": {
          await settle();
          const actual = JSON.stringify(sink.outputs.map(action.view));
          const expected = JSON.stringify(action.expected);
          if (actual !== expected) throw describe(action, `expected ${expected}, got ${actual}`);
          break;
        }
        case "expect-failure": {
          await settle();
          const message = failure instanceof Error ? failure.message : "no failure";
          if (!action.pattern.test(message)) {
            throw describe(action, `expected a failure like ${action.pattern}, got: ${message}`);
          }
          break;
        }
      }
      reports.push(...(running?.reports.splice(0) ?? []));
    }
  } finally {
    running?.stop("abort");
    await running?.ended.catch(() => {});
  }
}

/** In a script: kills the process before uncommitted frames are committed. */
export const ABORT: unique symbol = Symbol("ABORT");
/** In a script: waits until all previous frames are committed. */
export const PAUSE: unique symbol = Symbol("PAUSE");
/** In a script: stops the query once all previous frames are committed. */
export const EOF: unique symbol = Symbol("EOF");

/** A scripted source: frames, and events between them. */
export type Script =
  readonly (number | Partial<LogRecord> | typeof ABORT | typeof PAUSE | typeof EOF)[];

/**
 * Runs a query over a script; after ABORT it restarts.
 *
 * @returns the committed outputs, in order.
 * @example
 * ```ts
 * import { query, type Frame } from "../mod.ts";
 * import { ABORT, EOF, runScript } from "../testing.ts";
 *
 * const outputs = await runScript<Frame>(
 *   (sink) => query("all").readStream({ startingOffsets: "earliest" }).writeStream(sink),
 *   [0, 100, ABORT, 200, EOF],
 * );
 * console.assert(outputs.length === 3);
 * ```
 */
export async function runScript<T = Frame>(
  define: (sink: ReturnType<typeof collect<T>>) => QueryDefinition,
  script: Script,
): Promise<T[]> {
  const sink = collect<T>();
  const actions: StreamAction<T>[] = [startStream()];
  for (const step of script) {
    if (step === ABORT) {
      // The crash hits the first commit after this action.
      const last = actions.pop();
      actions.push(crash());
      if (last !== undefined) actions.push(last);
      actions.push(startStream());
    } else if (step === EOF) actions.push(stopStream());
    else if (step !== PAUSE) actions.push(addFrames(step));
  }
  await testStream<T>(() => define(sink), actions);
  return sink.outputs;
}
