// Runs batches: frames through the operators, in order. Frames that are not images become dead
// letters, alerts become records, live sinks see each output at once.
import { setImmediate } from "node:timers";
import { shown } from "../base/options.ts";
import type { Frame, Output, Result } from "../definition/frame.ts";
import type { OperatorError } from "../definition/operator_error.ts";
import { checkOutput as checkFound, hasResult } from "../definition/result.ts";
import type { BatchRange } from "../log/log.ts";
import type { AfterBatch } from "./checkpointing.ts";
import type { Batch } from "./commits.ts";
import { OutputNumbers } from "./identity.ts";
import { OpenCalls } from "./open_calls.ts";
import type { Opened } from "./opened.ts";
import type { ExecutionOptions, PipelineEvents } from "./options.ts";
import type { ProgressReporter } from "./reporter.ts";
import type { SequenceTracker } from "./sequence.ts";
import { SkippedReport } from "./skipped_frames.ts";

/** A batch yields to the event loop at least this often, milliseconds. */
const TURN_MS = 10;

/** Minimum capture time between stored updates of an ongoing alert, milliseconds. */
const ALERT_UPDATE_MS = 5_000;

/** A batch while the operators work on it. */
interface Running {
  readonly batch: Batch;
  readonly range: BatchRange;
  /** Monotonic. */
  readonly started: number;
  /** When the operators got the frame at each offset from `range.start` on, monotonic. */
  readonly arrivals: number[];
  /** The operators' timers run, or their end: outputs belong to no frame. */
  byTimer: boolean;
}

export class BatchRunner {
  readonly events: PipelineEvents;
  readonly #options: ExecutionOptions;
  readonly #sequence: SequenceTracker;
  readonly #abort: AbortSignal;
  #opened!: Opened;
  /** Undefined while frames are read again, which were counted before. */
  #running: Running | undefined;
  /** Takes outputs of frames that are read again. */
  #refeed: (output: unknown, cause: Frame) => void | Promise<void> = () => {};
  /** The alert that was recorded last. */
  #alert: { readonly id: string; readonly timestamp: number } | undefined;
  #lastFrame: Frame | undefined;
  readonly #numbers = new OutputNumbers();
  /** See `AfterBatch`. */
  #timers = 0;
  readonly #skipped: SkippedReport;
  /** The next frame is the first of a topic that was created again. */
  #recreated = false;

  constructor(options: ExecutionOptions, sequence: SequenceTracker, abort: AbortSignal) {
    this.#options = options;
    this.#sequence = sequence;
    this.#abort = abort;
    this.#skipped = new SkippedReport(options);
    this.events = {
      onOutput: (output, cause) =>
        this.#running === undefined
          ? this.#refeed(output, cause)
          : this.#collect(this.#running, output, cause),
      onBadFrame: (frame, error) => this.#reject(frame, error),
      onDeadInput: (error, frame) => this.#deadLetter(error, frame),
      checkOutput: checkerOf(options),
      call: options.call ?? ((work) => work()),
      open: new OpenCalls(options.clock),
    };
  }

  /** Continues after the last commit. */
  resume(opened: Opened): void {
    this.#opened = opened;
    this.#numbers.last = opened.resume.last;
  }

  /** The topic was created again: forgets its sequence numbers. */
  topicRecreated(): void {
    this.#lastFrame = undefined;
    this.#recreated = true;
    this.#numbers.last = undefined;
  }

  /** Gives operators frames again, and sinks that ask for it the outputs from `base` on. */
  async replay(frames: readonly Frame[]): Promise<void> {
    const { pipeline, sinks, resume: { base } } = this.#opened;
    this.#running = undefined;
    this.#refeed = (output, cause) => cause.offset >= base ? sinks.refeed(output) : undefined;
    for (const frame of frames) {
      if (frame.fault === undefined) await pipeline.push(frame);
    }
    await pipeline.settle();
    this.#skipped.rebase(pipeline.skipped());
    pipeline.observed();
  }

  /** Runs the operators over frames of a batch; `last` closes their open windows. */
  async run(
    frames: readonly Frame[],
    batch: Batch,
    range: BatchRange,
    last?: "ended" | "stopped",
  ): Promise<void> {
    const { reporter, pipeline } = this.#opened;
    const { clock, repairs } = this.#options;
    const started = clock.monotonic();
    let turned = started;
    reporter.begin(batch.rows);
    const arrivals = new Array<number>(frames.length);
    const running: Running = { batch, range, started, arrivals, byTimer: true };
    this.#running = running;
    const now = clock.now();
    if (pipeline.nextTimer() <= now) {
      this.#timers++;
      await pipeline.runTimers(now, this.#cause(range));
    }
    running.byTimer = false;
    for (const frame of frames) {
      this.#abort.throwIfAborted();
      this.#lastFrame = frame;
      const arrival = arrivals[frame.offset - range.start] = clock.monotonic();
      this.#count(frame, reporter);
      reporter.frameRead(frame, clock.now(), arrival);
      if (frame.fault !== undefined) {
        this.#reject(frame, frame.fault);
        continue;
      }
      const room = pipeline.push(frame);
      if (room !== undefined) await room;
      // Operators that never wait must not keep timers and other lanes from this thread.
      if (arrival - turned > TURN_MS) {
        await new Promise<void>((resolve) => setImmediate(resolve));
        turned = clock.monotonic();
      }
    }
    const settled = pipeline.settle();
    if (settled !== undefined) await settled;
    this.#abort.throwIfAborted();
    running.byTimer = true;
    if (last !== undefined) {
      this.#timers++;
      await pipeline.finish(this.#cause(range), last === "ended");
    }
    for (const { value } of frames) if (repairs?.(value) !== undefined) reporter.repaired++;
    const ms = clock.monotonic() - started;
    reporter.took("addBatch", ms);
    reporter.took("triggerExecution", ms);
    this.#skipped.update(pipeline.skipped(), reporter);
    batch.totals = reporter.counted(range.end);
  }

  /** What a commit at `end` saves; nothing may have run since. */
  stateAt(end: number): AfterBatch {
    return {
      snapshot: this.#opened.pipeline.snapshot(end),
      seen: this.#sequence.seen,
      last: this.#numbers.last,
      timers: this.#timers,
    };
  }

  #collect(running: Running, made: unknown, cause: Frame): void | Promise<void> {
    const { batch, range, byTimer } = running;
    const { reporter, sinks } = this.#opened;
    const { clock } = this.#options;
    const output = this.#numbers.number(made);
    if (hasResult(output)) this.#record(output, batch);
    if (!sinks.live) batch.outputs.push(output);
    // A timer's output has no capture to measure from.
    const now = clock.now(), at = clock.monotonic();
    const captured = byTimer
      ? now
      : (output as { timestamp?: unknown } | null | undefined)?.timestamp;
    reporter.outputDone(
      at,
      at - (running.arrivals[cause.offset - range.start] ?? running.started),
      now - (Number.isFinite(captured) ? captured as number : cause.timestamp),
    );
    if (sinks.showing) return sinks.show(output, range);
  }

  /** Makes a dead letter of a frame, unless it was one before. */
  #reject(frame: Frame, error: Error): void {
    if (this.#running === undefined) return;
    this.#opened.reporter.deadLettered++;
    this.#running.batch.records.push(this.#options.deadLetter(frame, error));
  }

  /** The cause of timers' outputs: the last frame, or none. */
  #cause({ start: offset }: BatchRange): Frame {
    if (this.#lastFrame !== undefined) return this.#lastFrame;
    const { topic, partition, clock } = this.#options;
    const timestamp = clock.now();
    return { topic, partition, offset, timestamp, key: null, headers: {}, value: new Uint8Array() };
  }

  #deadLetter(error: OperatorError, frame?: Frame): boolean {
    if (this.#running === undefined) return false;
    this.#options.onDeadInput?.(error);
    if (frame !== undefined) this.#reject(frame, error);
    return true;
  }

  /** Alerts and findings go to the log too, for walls that are opened later or elsewhere. */
  #record(output: Output & { readonly result: Result }, { records }: Batch): void {
    const { alertRecord, findingsRecord } = this.#options;
    const { result: { alert }, timestamp } = output;
    const found = findingsRecord?.(output);
    if (found !== undefined) records.push(found);
    if (alert === undefined || alertRecord === undefined) return;
    const known = this.#alert?.id === alert.id ? this.#alert : undefined;
    const recent = known !== undefined && timestamp - known.timestamp < ALERT_UPDATE_MS;
    if (alert.state === "update" && recent) return;
    this.#alert = { id: alert.id, timestamp };
    records.push(alertRecord(output));
  }

  /** Counts by the camera's sequence numbers what was lost with the previous topic. */
  #count(frame: Frame, reporter: ProgressReporter): void {
    const sequence = this.#sequence;
    if (!this.#recreated) return sequence.see(frame);
    this.#recreated = false;
    const { topic, partition, report } = this.#options;
    const { gaps } = sequence;
    const known = sequence.knows(frame);
    sequence.see(frame);
    const lost = sequence.gaps - gaps;
    sequence.gaps = gaps;
    reporter.drop(lost, "lost");
    report(
      known
        ? `Lost ${lost} frames of ${topic} partition ${partition} with the previous topic`
        : `Cannot count the frames of ${topic} partition ${partition} that were lost with the previous topic: no frame of this camera's run was seen in it`,
    );
  }
}

/** Returns a check that throws if a sink or the engine cannot take an output, or another lane has it. */
function checkerOf({ plan, topic: read, partition: own }: ExecutionOptions) {
  const checks = [...new Set(plan.sinks.flatMap(({ check }) => check ?? []))];
  const checked = plan.sinks.some(({ check }) => check === checkFound);
  return (output: unknown): void => {
    for (let i = 0; i < checks.length; i++) checks[i]!(output);
    if (!checked) {
      if (!hasResult(output)) return;
      checkFound(output);
    }
    const { topic = read, partition = own } = (output ?? {}) as Partial<Output>;
    if (partition === own && topic === read) return;
    throw new TypeError(
      `Cannot emit this output: it belongs to ${shown(topic)} partition ${shown(partition)}, ` +
        `expected ${read} partition ${own}, that of its input`,
    );
  };
}
