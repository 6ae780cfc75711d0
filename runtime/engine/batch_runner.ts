// Runs batches: frames through the operators, in order. Frames that are no images become dead
// letters, alerts become records, live sinks see each output at once.
import { setImmediate } from "node:timers";
import type { Frame, Output } from "../definition/frame.ts";
import type { OperatorError } from "../definition/operator_error.ts";
import type { BatchRange, OutputRecord } from "../log/log.ts";
import type { RunBatch } from "./commits.ts";
import { OutputNumbers } from "./identity.ts";
import { LeftOutFrames } from "./left_out.ts";
import type { Opened } from "./opened.ts";
import type { ExecutionOptions, PipelineEvents } from "./options.ts";
import type { ProgressReporter } from "./reporter.ts";
import type { SinkSet } from "./sinks.ts";
import type { SequenceTracker } from "./sequence.ts";
import { step } from "./steps.ts";

/** A batch yields to the event loop at least this often, milliseconds. */
const TURN_MS = 10;

/** Minimum capture time between stored updates of an ongoing alert, milliseconds. */
const ALERT_UPDATE_MS = 5_000;

export class BatchRunner {
  readonly events: PipelineEvents;
  readonly #options: ExecutionOptions;
  readonly #sequence: SequenceTracker;
  readonly #abort: AbortSignal;
  /** Receives the pipeline's outputs. */
  #collect: (output: unknown, cause: Frame) => void | Promise<void> = () => {};
  /**
   * Takes frames that cannot be processed; undefined while frames are read again, which were
   * counted before.
   */
  #reject: ((frame: Frame, error: Error) => void) | undefined;
  #records: OutputRecord[] = [];
  /** The alert that was recorded last. */
  #alert: { readonly id: string; readonly timestamp: number } | undefined;
  #lastFrame: Frame | undefined;
  readonly #numbers = new OutputNumbers();
  readonly #leftOut: LeftOutFrames;
  /** The next frame is the first of a topic that was created again. */
  #recreated = false;
  readonly #shown: BigInt64Array;
  /** Frames before this offset were shown by an earlier run. */
  #shownBefore: number;

  constructor(options: ExecutionOptions, sequence: SequenceTracker, abort: AbortSignal) {
    this.#options = options;
    this.#sequence = sequence;
    this.#abort = abort;
    this.#leftOut = new LeftOutFrames(options);
    this.#shown = options.shown ?? new BigInt64Array(1);
    this.#shownBefore = Number(Atomics.load(this.#shown, 0));
    this.events = {
      onOutput: (output, cause) => this.#collect(output, cause),
      onBadFrame: (frame, error) => this.#reject?.(frame, error),
      onPutAside: (error, frame) => this.#deadLetter(error, frame),
      checkOutput: (output) => checkOutput(output, options),
      call: options.call ?? ((work) => work()),
    };
  }

  /** Continues after the last commit. */
  resume({ resume }: Opened): void {
    this.#numbers.restore(resume.last);
  }

  /** The topic was created again: forgets its sequence numbers. */
  topicRecreated(): void {
    this.#lastFrame = undefined;
    this.#recreated = true;
    this.#numbers.restore(undefined);
    this.#shownBefore = 0;
    Atomics.store(this.#shown, 0, 0n);
  }

  /** Gives operators frames again, and sinks that ask for it the outputs from `base` on. */
  async replay(
    { pipeline, sinks, resume: { base } }: Opened,
    frames: readonly Frame[],
  ): Promise<void> {
    this.#reject = undefined;
    this.#collect = async (output, cause) => {
      if (cause.offset >= base) await sinks.refeed(output);
    };
    for (const frame of frames) {
      if (frame.fault === undefined) await pipeline.push(frame);
    }
    await pipeline.settle();
    this.#leftOut.rebase(pipeline.leftOut());
    pipeline.observed();
  }

  timersDue({ pipeline }: Opened): boolean {
    const due = pipeline.nextTimer();
    return due !== undefined && due <= this.#options.clock.now();
  }

  /** Runs the operators over a batch; `last` closes their open windows. */
  async run(
    opened: Opened,
    frames: readonly Frame[],
    range: BatchRange,
    last?: "ended" | "stopped",
  ): Promise<RunBatch> {
    const { reporter, pipeline, sinks } = opened;
    const { clock } = this.#options;
    step("read");
    const started = clock.monotonic();
    let turned = started;
    const rows = reporter.begin();
    const outputs: unknown[] = [];
    const arrivals = new Map<number, number>();
    this.#records = [];
    let byTimer = true;
    this.#reject = (frame, error) => {
      reporter.deadLettered++;
      this.#records.push(this.#options.deadLetter(frame, error));
    };
    this.#collect = (made, cause) => {
      const output = this.#numbers.number(made);
      if (typeof output === "object" && output !== null) this.#record(output as Output);
      outputs.push(output);
      // A timer's output belongs to no frame, so it cannot be marked as shown.
      const shown = !byTimer && cause.offset < this.#shownBefore;
      if (shown && sinks.live) {
        reporter.outputRepeated();
        return;
      }
      // A timer's output has no capture to measure from.
      const captured = byTimer
        ? clock.now()
        : (output as { timestamp?: unknown } | null | undefined)?.timestamp;
      reporter.outputDone(
        clock.monotonic() - (arrivals.get(cause.offset) ?? started),
        typeof captured === "number" ? captured : cause.timestamp,
        clock.now(),
      );
      if (sinks.showing && !shown) return this.#show(sinks, output, cause, range);
    };
    const cause = () => this.#lastFrame ?? this.#noFrame(range.start);
    if (this.timersDue(opened)) await pipeline.runTimers(clock.now(), cause());
    byTimer = false;
    for (const frame of frames) {
      this.#abort.throwIfAborted();
      this.#lastFrame = frame;
      const now = clock.monotonic();
      arrivals.set(frame.offset, now);
      this.#count(frame, reporter);
      reporter.frameRead(frame, clock.now());
      if (frame.fault !== undefined) {
        this.#reject?.(frame, frame.fault);
        continue;
      }
      const room = pipeline.push(frame);
      if (room !== undefined) await room;
      // Operators that never wait must not keep timers and other lanes from this thread.
      if (now - turned > TURN_MS) {
        await new Promise<void>((resolve) => setImmediate(resolve));
        turned = clock.monotonic();
      }
    }
    await pipeline.settle();
    byTimer = true;
    if (last !== undefined) await pipeline.finish(cause(), last === "ended");
    for (const { value } of frames) reporter.repaired(this.#options.repairs?.(value) ?? []);
    step("operators");
    const ms = clock.monotonic() - started;
    reporter.took("addBatch", ms);
    reporter.took("triggerExecution", ms);
    this.#leftOut.update(pipeline.leftOut(), reporter);
    return {
      range,
      outputs,
      records: this.#records,
      snapshot: pipeline.snapshot(range.end),
      seen: this.#sequence.seen,
      last: this.#numbers.last,
      observed: pipeline.observed(),
      rows,
      totals: reporter.counted(),
    };
  }

  /** The cause of timers' outputs before the first frame. */
  #noFrame(offset: number): Frame {
    const { topic, partition, clock } = this.#options;
    const timestamp = clock.now();
    return { topic, partition, offset, timestamp, key: null, headers: {}, value: new Uint8Array() };
  }

  #deadLetter(error: OperatorError, frame?: Frame): boolean {
    if (this.#reject === undefined) return false;
    this.#options.onPutAside?.(error);
    if (frame !== undefined) this.#reject(frame, error);
    return true;
  }

  /** Alerts and findings go to the log too, for walls that are opened later or elsewhere. */
  #record(output: Output): void {
    const { alertRecord, findingsRecord } = this.#options;
    const { result, timestamp } = output;
    if (result === undefined) return;
    const found = findingsRecord?.(output);
    if (found !== undefined) this.#records.push(found);
    const { alert } = result;
    if (alert === undefined || alertRecord === undefined) return;
    const known = this.#alert?.id === alert.id ? this.#alert : undefined;
    const recent = known !== undefined && timestamp - known.timestamp < ALERT_UPDATE_MS;
    if (alert.state === "update" && recent) return;
    this.#alert = { id: alert.id, timestamp };
    this.#records.push(alertRecord(output));
  }

  #show(
    sinks: SinkSet,
    output: unknown,
    cause: Frame,
    range: BatchRange,
  ): void | Promise<void> {
    const shown = () => void Atomics.store(this.#shown, 0, BigInt(cause.offset + 1));
    const waiting = sinks.show(output, range);
    return waiting === undefined ? shown() : waiting.then(shown);
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

/** @throws if a sink rejects an output, it belongs to another lane, or reading it throws */
function checkOutput(output: unknown, { plan, partition: own }: ExecutionOptions): void {
  for (const { check } of plan.sinks) check?.(output);
  const { result, timestamp, partition = own } = (output ?? {}) as Partial<Output>;
  void [result?.alert, timestamp];
  if (partition !== own) {
    throw new TypeError(
      `Cannot emit this output: it belongs to partition ${
        String(partition)
      }, expected ${own}, the partition of its input`,
    );
  }
}
