/**
 * The life of a streaming query: one query on one partition.
 *
 * Two records keep it exact. Before a batch runs, `plan` says which offsets it takes; after it ran,
 * `commit` makes its records and its end visible at once. Whatever happens between the two is done
 * again by whoever comes next, from the same offsets, with the same outputs.
 *
 *   take over → rebuild → ( construct next batch → run batch → commit batch )* → close
 *
 * While one batch is being committed the next one is already processed; its outputs wait.
 *
 * @module
 */
import { setImmediate } from "node:timers";
import type { Clock } from "../clock.ts";
import { BadFrameError, type Frame, type Output } from "../frame.ts";
import {
  type BatchCommitter,
  LogError,
  type LogReader,
  type Membership,
  type PartitionReader,
  type TopicLog,
} from "../log/log.ts";
import type { QueryTotals, StreamingQueryProgress } from "../progress.ts";
import type { QueryPlan } from "../query.ts";
import type { BatchRange, OutputRecord, Sink, SinkTask } from "../sinks/sink.ts";
import { startPoint } from "../source_options.ts";
import { parseDuration, TickTimer } from "../trigger.ts";
import { Checkpointing } from "./checkpointing.ts";
import { Intake } from "./intake.ts";
import { Pipeline, type PipelineEvents, type PipelineSnapshot } from "./pipeline.ts";
import { type Measurements, ProgressReporter } from "./reporter.ts";
import { type SeenSequences, SequenceTracker } from "./sequence.ts";
import type { BatchStep } from "./steps.ts";

/**
 * How a streaming query is stopped: `drain` after the batch that runs is committed, `move` likewise but another runtime
 * goes on where it ends, `abort` at once.
 */
export type StopMode = "drain" | "move" | "abort";

/** Whom a streaming query tells what. */
export interface ExecutionEvents {
  /** For the viewer; latest wins. */
  readonly publish: (output: Output) => void;
  /** A line for people. */
  readonly report: (message: string) => void;
  readonly onStarted?: (id: string) => void;
  readonly onProgress?: (progress: StreamingQueryProgress, measurements: Measurements) => void;
  /** Called around each piece of work that may hold the thread. */
  readonly onBusy?: (busy: boolean) => void;
  /** Called at each step of each batch; for trials that crash there. */
  readonly onStep?: (step: BatchStep) => void;
}

/** What a streaming query needs. */
export interface ExecutionOptions extends ExecutionEvents {
  readonly plan: QueryPlan;
  readonly log: TopicLog;
  readonly reader: LogReader;
  readonly topic: string;
  readonly partition: number;
  readonly group: string;
  readonly membership?: Membership;
  readonly runId: string;
  readonly clock: Clock;
  /** Looks at an encoded image's header; throws `BadFrameError`. */
  readonly inspect: (value: Uint8Array) => void;
  /** Makes the dead letter of a frame. */
  readonly deadLetter: (frame: Frame, error: BadFrameError) => OutputRecord;
  /** Makes the record by which an alert is remembered; without it none is. */
  readonly alertRecord?: (output: Output) => OutputRecord;
  /** Milliseconds between two progress reports. Default 1000. */
  readonly progressIntervalMs?: number;
}

/** A query with live views only commits this often: nothing that it did can be doubled. */
const LIVE_COMMIT_INTERVAL_MS = 1000;

/** A batch lets the event loop turn at least this often, milliseconds. */
const TURN_MS = 10;

/** Of an alert that goes on, one output is remembered in so much capture time, milliseconds. */
const ALERT_UPDATE_MS = 5_000;

interface OpenSink {
  readonly sink: Sink<unknown>;
  readonly task: SinkTask<unknown>;
}

/** A batch that ran and is not committed yet. */
interface RunBatch {
  readonly range: BatchRange;
  readonly outputs: readonly unknown[];
  /** Dead letters and alerts: committed with the batch. */
  readonly records: readonly OutputRecord[];
  readonly snapshot: PipelineSnapshot;
  readonly seen: SeenSequences;
}

/** What `#takeOver` opens. */
interface Opened {
  readonly committer: BatchCommitter;
  readonly checkpointing: Checkpointing;
  readonly reporter: ProgressReporter;
  readonly source: PartitionReader;
  readonly intake: Intake;
  pipeline: Pipeline;
  readonly sinks: readonly OpenSink[];
  readonly base: number;
  /** What is read again is for sinks alone. */
  readonly sinksOnly: boolean;
}

/** One query on one partition, at work. */
export class StreamingExecution {
  readonly #options: ExecutionOptions;
  readonly #clock: Clock;
  readonly #abort = new AbortController();
  readonly #drain = new AbortController();
  readonly #sequence: SequenceTracker;
  readonly #closers: (() => void | Promise<void>)[] = [];
  #opened: Opened | undefined;
  /** Id and start of the next batch. */
  #batchId = 0;
  #next = 0;
  #committing: Promise<void> = Promise.resolve();
  /** A batch of live views that waits to be committed together with later ones. */
  #held: RunBatch | undefined;
  #lastCommit = 0;
  #lastReport = 0;
  #reportDue = false;
  #lastFrame: Frame | undefined;
  /** Where the pipeline's outputs go. */
  #collect: (output: unknown, cause: Frame) => void | Promise<void> = () => {};
  #records: OutputRecord[] = [];
  /** The alert that was remembered last. */
  #alert: { readonly id: string; readonly timestamp: number } | undefined;
  /** Another runtime goes on where this one ends. */
  #moves = false;
  /** Topics that are known to exist. */
  readonly #topics = new Set<string>();
  /** Frames are read again to bring operators and sinks back: what was counted is not counted again. */
  #rebuilding = true;
  /** The next frame is the first one of a topic that was made anew. */
  #madeAnew = false;
  readonly #events: PipelineEvents;
  /** By which the partition is owned now. */
  #membership: Membership | undefined;

  constructor(options: ExecutionOptions) {
    this.#options = options;
    this.#membership = options.membership;
    this.#clock = options.clock;
    this.#sequence = new SequenceTracker(([first, second]) =>
      options.report(
        `Two cameras publish to ${options.topic} partition ${options.partition}: ${first} and ${second} take turns`,
      )
    );
    this.#events = {
      onOutput: (output, cause) => this.#collect(output, cause),
      onBadFrame: (frame, error) => this.#badFrame(frame, error),
      ...(options.onBusy !== undefined ? { onBusy: options.onBusy } : {}),
    };
  }

  /** Totals of this run so far. */
  get totals(): QueryTotals {
    return this.#opened?.reporter.totals ?? {
      frames: 0,
      outputs: 0,
      dropped: 0,
      deadLettered: 0,
      gaps: 0,
      duplicates: 0,
      orderViolations: 0,
    };
  }

  /** Asks the query to end; `run` resolves when it has. */
  stop(mode: StopMode): void {
    const reason = new StoppedError();
    this.#moves = mode === "move";
    this.#drain.abort(reason);
    if (mode === "abort") this.#abort.abort(reason);
  }

  /** The group moved on to another generation and the partition is still ours. */
  renew(membership: Membership): void {
    // During a take-over there is nobody to tell yet: told as soon as there is.
    this.#membership = membership;
    this.#opened?.committer.renew(membership);
    this.#opened?.checkpointing.renewed();
  }

  /**
   * Runs until the trigger ends the query or `stop` is called.
   *
   * @throws {LogError} `FENCED` when another owner took over, `OFFSET_OUT_OF_RANGE` when frames were
   * lost and `failOnDataLoss` is on; and any error of an operator, a sink or the log.
   */
  async run(): Promise<QueryTotals> {
    try {
      const opened = this.#opened = await this.#takeOver();
      if (this.#membership !== undefined) opened.committer.renew(this.#membership);
      this.#lastCommit = this.#lastReport = this.#clock.monotonic();
      this.#options.onStarted?.(opened.committer.queryId);
      await this.#rebuild(opened);
      await this.#runBatches(opened);
    } catch (error) {
      if (!(error instanceof StoppedError)) throw error;
    } finally {
      await this.#close();
    }
    return this.totals;
  }

  /** Owns the checkpoint, finds the start offset, opens operators, sinks and the source. */
  async #takeOver(): Promise<Opened> {
    const { plan, log, reader, topic, partition, group, runId } = this.#options;
    const clock = this.#clock;
    const membership = this.#membership;
    const outputTopics = plan.sinks.flatMap(({ topics }) => topics ?? []);
    const committer = await log.committer({
      group,
      query: plan.name,
      topic,
      partition,
      outputTopics,
      ...(membership !== undefined ? { membership } : {}),
    });
    this.#closers.unshift(() => committer.close());
    for (const output of outputTopics) this.#topics.add(output);
    const { committed } = committer;
    this.#batchId = (committed?.batchId ?? -1) + 1;
    this.#next = committed?.end ?? committer.planned?.start ?? await this.#startOffset();
    const checkpointing = new Checkpointing(committer, this.#next);
    const { readFrom, base, pipeline: state, sinksOnly, seen } = checkpointing.resumePoint(
      this.#next,
    );
    this.#sequence.restore(seen);
    const reporter = new ProgressReporter(
      {
        id: committer.queryId,
        runId,
        query: plan.name,
        topic,
        partition,
        sourceDescription: `${log.url}/${topic}/${partition}`,
        sinkDescription: plan.sinks.map(({ uri }) => uri).join(", "),
      },
      clock,
      this.#sequence,
    );
    const source = await reader.open(topic, partition, readFrom);
    this.#closers.unshift(() => source.close());
    const intake = new Intake({
      source,
      topic,
      partition,
      query: plan.name,
      failOnDataLoss: plan.source.failOnDataLoss ?? true,
      // What takes all there is and ends has nothing to keep up with.
      overload: ["available-now", "once"].includes(plan.trigger.kind)
        ? { kind: "wait" }
        : plan.overload,
      clock,
      signal: this.#drain.signal,
      report: this.#options.report,
      onDropped: (count) => {
        reporter.dropped += count;
        this.#sequence.skip();
      },
    });
    const pipeline = await this.#openPipeline(base, state);
    this.#closers.unshift(() => (this.#opened?.pipeline ?? pipeline).close());
    const sinks: OpenSink[] = [];
    for (const sink of plan.sinks) {
      const task = await sink.open({
        query: plan.name,
        topic,
        partition,
        committedEnd: committed?.end ?? 0,
        committedBatch: committed?.batchId ?? -1,
        clock,
        signal: this.#abort.signal,
        publish: this.#options.publish,
        report: this.#options.report,
      });
      this.#closers.unshift(() => task.close?.());
      sinks.push({ sink, task });
    }
    return {
      committer,
      checkpointing,
      reporter,
      source,
      intake,
      pipeline,
      sinks,
      base,
      sinksOnly,
    };
  }

  #openPipeline(base: number, state?: Uint8Array): Promise<Pipeline> {
    const { plan, topic, partition } = this.#options;
    const context = {
      query: plan.name,
      topic,
      partition,
      clock: this.#clock,
      signal: this.#abort.signal,
    };
    return Pipeline.open(plan.operators, context, this.#events, base, state);
  }

  /** The operators begin again at `offset`: what they had open is given up. */
  async #beginAt(opened: Opened, offset: number): Promise<void> {
    await opened.pipeline.close();
    opened.pipeline = await this.#openPipeline(offset);
    opened.checkpointing.beginAt(offset);
  }

  /** Goes on in a topic that was made anew, if it was: its offsets begin again. */
  async #goOnAnew(opened: Opened): Promise<boolean> {
    const { intake } = opened;
    const { anew } = intake;
    if (anew === undefined) return false;
    await this.#commitHeld(opened, true);
    await this.#committing;
    await this.#beginAt(opened, anew);
    this.#next = anew;
    this.#lastFrame = undefined;
    this.#madeAnew = true;
    intake.anew = undefined;
    return true;
  }

  /** Where a query without a checkpoint begins. */
  async #startOffset(): Promise<number> {
    const { plan, log, topic, partition } = this.#options;
    const point = startPoint(plan.source, topic, partition);
    const { earliest, latest } = await log.offsets(topic, partition);
    switch (point.kind) {
      case "earliest":
        return earliest;
      case "latest":
        return latest;
      case "last-frames":
        return Math.max(earliest, latest - point.frames);
      case "last-ms":
        return await log.offsetForTime(topic, partition, this.#clock.now() - point.ms);
      case "timestamp":
        return await log.offsetForTime(topic, partition, point.timestamp);
      case "offset":
        if (point.offset < earliest || point.offset > latest) {
          throw new LogError(
            "OFFSET_OUT_OF_RANGE",
            `Cannot start ${topic} partition ${partition} at offset ${point.offset}: expected ${earliest} to ${latest}`,
            { range: { earliest, latest } },
          );
        }
        return point.offset;
    }
  }

  /** Reads again what open windows and unfinished files need. */
  async #rebuild(opened: Opened): Promise<void> {
    const { intake, pipeline, sinks, base, sinksOnly } = opened;
    const { plan, topic, partition, report } = this.#options;
    const again = sinks.filter(({ task }) => task.refeed !== undefined);
    this.#collect = async (output, cause) => {
      if (cause.offset < base) return;
      for (const { task } of again) await task.refeed!([output]);
    };
    let lacking = false;
    intake.rereading = {
      until: this.#next,
      onMissing: (earliest) => {
        if (!sinksOnly) return false;
        report(
          `Cannot read ${topic} partition ${partition} again from offset ${intake.position}: the log holds ${earliest} on. Nothing is lost by that: unfinished files go on without`,
        );
        lacking = true;
        // Operators that remember nothing make the same of each frame, wherever they begin.
        const stateless = plan.operators.every(({ kind }) => kind === undefined);
        intake.seek(stateless ? earliest : this.#next);
        return true;
      },
    };
    while (intake.position < this.#next) {
      const frames = await intake.readUntil(64, this.#next);
      if (frames.length === 0) break;
      for (const frame of frames) {
        if (this.#unreadable(frame) === undefined) await pipeline.push(frame, this.#events);
      }
      await pipeline.settle();
    }
    intake.rereading = undefined;
    this.#rebuilding = false;
    if (await this.#goOnAnew(opened)) return;
    if (lacking) await this.#beginAt(opened, this.#next);
    if (intake.position < this.#next) intake.seek(this.#next);
  }

  /** Batches until the trigger ends the query or somebody stops it. */
  async #runBatches(opened: Opened): Promise<void> {
    const { plan, log, topic, partition, report } = this.#options;
    const { trigger } = plan;
    try {
      const { planned } = opened.checkpointing;
      if (planned !== undefined) await this.#rerun(opened, planned);
      if (trigger.kind === "available-now" || trigger.kind === "once") {
        const { latest } = await log.offsets(topic, partition);
        await this.#runUntil(opened, latest, trigger.kind === "once");
      } else if (trigger.kind === "interval") {
        const ticks = new TickTimer(this.#clock, trigger.ms, (late) =>
          report(
            `Falling behind: a batch ended ${
              Math.round(late)
            } ms after the next tick of the ${trigger.ms} ms interval`,
          ));
        for (;;) {
          await ticks.wait(this.#drain.signal);
          await this.#runUntil(opened, opened.intake.latest, false);
          if (this.#timersDue(opened)) await this.#runAndCommit(opened, []);
          await this.#commitHeld(opened, false);
        }
      } else {
        for (;;) {
          const frames = await this.#nextFrames(opened);
          if (frames !== undefined) await this.#runAndCommit(opened, frames);
          else await this.#commitHeld(opened, false);
          await this.#goOnAnew(opened);
        }
      }
    } catch (error) {
      if (!(error instanceof StoppedError) || this.#abort.signal.aborted) {
        await this.#committing.catch(() => {});
        throw error;
      }
    }
    if (opened.pipeline.finishes && !this.#moves) {
      this.#hold(await this.#runBatch(opened, [], this.#next, true));
    }
    await this.#commitHeld(opened, true);
    await this.#committing;
    this.#reportNow(opened);
  }

  /** A batch that was planned before a crash runs again with exactly its offsets. */
  async #rerun(opened: Opened, planned: BatchRange): Promise<void> {
    const frames: Frame[] = [];
    while (opened.intake.position < planned.end) {
      const more = await opened.intake.readUntil(64, planned.end);
      if (more.length === 0) break;
      frames.push(...more);
    }
    await this.#runAndCommit(opened, frames, planned.end);
    await this.#committing;
    await this.#goOnAnew(opened);
  }

  /** Batches of everything below an offset. */
  async #runUntil(opened: Opened, end: number, oneBatch: boolean): Promise<void> {
    const { log, topic, partition, plan } = this.#options;
    const max = plan.source.maxFramesPerTrigger ?? 64;
    let frames: Frame[] = [];
    if (this.#next > end) {
      // Nothing would be read, and nobody would hear that the topic is another one.
      const range = await log.offsets(topic, partition);
      if (this.#next > range.latest) opened.intake.lost(range);
      if (await this.#goOnAnew(opened)) end = range.latest;
    }
    while (this.#next < end) {
      this.#drain.signal.throwIfAborted();
      const started = this.#clock.monotonic();
      const more = await opened.intake.readUntil(max, end);
      opened.reporter.took("getBatch", this.#clock.monotonic() - started);
      if (opened.intake.anew !== undefined) {
        if (frames.length > 0) await this.#runAndCommit(opened, frames);
        frames = [];
        await this.#goOnAnew(opened);
        end = (await log.offsets(topic, partition)).latest;
        continue;
      }
      const exhausted = more.length === 0 || opened.intake.position >= end;
      frames = frames.concat(more);
      if (exhausted || !oneBatch) {
        await this.#runAndCommit(opened, frames, exhausted ? end : undefined);
        frames = [];
      }
    }
  }

  /** Constructs the next batch of the `asap` trigger: undefined when there is something else to do. */
  async #nextFrames(opened: Opened): Promise<Frame[] | undefined> {
    const { intake, pipeline } = opened;
    const { source } = this.#options.plan;
    const max = source.maxFramesPerTrigger ?? 64;
    const min = source.minFramesPerTrigger ?? 1;
    // Timers and late commits must not wait for a frame.
    const wake = Math.min(
      pipeline.nextTimer() ?? Infinity,
      this.#held !== undefined ? this.#clock.now() + LIVE_COMMIT_INTERVAL_MS : Infinity,
    );
    const frames = await intake.readBefore(max, wake);
    if (frames.length === 0) return this.#timersDue(opened) ? [] : undefined;
    if (frames.length < min) {
      const deadline = this.#clock.now() + parseDuration(source.maxTriggerDelay ?? "15m");
      while (
        frames.length < min && intake.anew === undefined && this.#clock.now() < deadline
      ) {
        frames.push(...await intake.readBefore(max - frames.length, deadline));
      }
    }
    return frames;
  }

  /** Runs a batch and commits it while the next one may already run. */
  async #runAndCommit(opened: Opened, frames: Frame[], end?: number): Promise<void> {
    const batch = await this.#runBatch(
      opened,
      frames,
      end ?? (frames.at(-1)?.offset ?? this.#next - 1) + 1,
    );
    this.#hold(batch);
    const live = opened.sinks.every(({ sink }) => sink.delivery === "live");
    await this.#commitHeld(opened, !live);
  }

  #hold(batch: RunBatch): void {
    this.#held = this.#held === undefined ? batch : join(this.#held, batch);
  }

  #timersDue({ pipeline }: Opened): boolean {
    const due = pipeline.nextTimer();
    return due !== undefined && due <= this.#clock.now();
  }

  /** Commits what waits, if it is time. */
  async #commitHeld(opened: Opened, now: boolean): Promise<void> {
    const batch = this.#held;
    if (batch === undefined) return;
    if (!now && this.#clock.monotonic() - this.#lastCommit < LIVE_COMMIT_INTERVAL_MS) return;
    this.#held = undefined;
    this.#batchId = batch.range.batchId + 1;
    await this.#committing;
    this.#committing = this.#commit(opened, batch);
    // Whatever waits for frames must hear of a failed commit.
    this.#committing.catch((error) => this.#drain.abort(error));
  }

  /** Runs the operators over a batch; the last one ends what they have open. */
  async #runBatch(
    opened: Opened,
    frames: readonly Frame[],
    end: number,
    last = false,
  ): Promise<RunBatch> {
    const { plan } = this.#options;
    const { checkpointing, reporter, pipeline, sinks } = opened;
    const clock = this.#clock;
    const range: BatchRange = { batchId: this.#batchId, start: this.#next, end };
    if (plan.sinks.some(({ needsPlan }) => needsPlan === true)) {
      await this.#committing;
      const started = clock.monotonic();
      if (checkpointing.planned === undefined) await checkpointing.plan(range, true);
      reporter.took("walCommit", clock.monotonic() - started);
    }
    this.#options.onStep?.("read");
    const started = clock.monotonic();
    let turned = started;
    const outputs: unknown[] = [];
    const live = sinks.filter(({ sink }) => sink.delivery === "live");
    const arrivals = new Map<number, number>();
    this.#records = [];
    let byTimer = true;
    this.#collect = (output, cause) => {
      this.#noteAlert(output);
      // What no frame has caused has no way from a camera to measure.
      const captured = byTimer ? clock.now() : (output as { timestamp?: unknown }).timestamp;
      reporter.outputDone(
        clock.monotonic() - (arrivals.get(cause.offset) ?? started),
        typeof captured === "number" ? captured : cause.timestamp,
        clock.now(),
      );
      outputs.push(output);
      if (live.length > 0) return this.#writeLive(opened, live, output, range);
    };
    if (this.#timersDue(opened)) await pipeline.runTimers(clock.now(), this.#cause());
    byTimer = false;
    for (const frame of frames) {
      this.#abort.signal.throwIfAborted();
      this.#lastFrame = frame;
      const now = clock.monotonic();
      arrivals.set(frame.offset, now);
      this.#see(frame, reporter);
      reporter.frameRead(frame.timestamp, clock.now());
      const unreadable = this.#unreadable(frame);
      if (unreadable !== undefined) {
        this.#badFrame(frame, unreadable);
        continue;
      }
      const room = pipeline.push(frame, this.#events);
      if (room !== undefined) await room;
      // Operators that never wait would keep timers and other lanes from this thread.
      if (now - turned > TURN_MS) {
        await new Promise<void>((resolve) => setImmediate(resolve));
        turned = clock.monotonic();
      }
    }
    await pipeline.settle();
    byTimer = true;
    if (last) await pipeline.finish(this.#cause());
    this.#options.onStep?.("operators");
    this.#next = Math.max(this.#next, end);
    const ms = clock.monotonic() - started;
    reporter.took("addBatch", ms);
    reporter.took("triggerExecution", ms);
    return {
      range,
      outputs,
      records: this.#records,
      snapshot: pipeline.snapshot(),
      seen: this.#sequence.seen,
    };
  }

  /** The frame that timers' outputs count as caused by; before the first one, a stand-in. */
  #cause(): Frame {
    const { topic, partition } = this.#options;
    return this.#lastFrame ?? {
      topic,
      partition,
      offset: this.#next,
      timestamp: this.#clock.now(),
      key: null,
      headers: {},
      value: new Uint8Array(),
    };
  }

  /** Alerts are remembered in the log, for those who look later or from elsewhere. */
  #noteAlert(output: unknown): void {
    const { alertRecord } = this.#options;
    const { result, timestamp } = output as Output;
    const alert = result?.alert;
    if (alert === undefined || alertRecord === undefined) return;
    const known = this.#alert?.id === alert.id ? this.#alert : undefined;
    const recent = known !== undefined && timestamp - known.timestamp < ALERT_UPDATE_MS;
    if (alert.state === "update" && recent) return;
    this.#alert = { id: alert.id, timestamp };
    this.#records.push(alertRecord(output as Output));
  }

  async #writeLive(
    opened: Opened,
    live: readonly OpenSink[],
    output: unknown,
    range: BatchRange,
  ): Promise<void> {
    for (const { sink, task } of live) {
      await this.#timed(opened, sink, () => task.write?.([output], range));
    }
  }

  async #timed(
    { reporter }: Opened,
    sink: Sink<unknown>,
    work: () => void | Promise<void>,
  ): Promise<void> {
    const started = this.#clock.monotonic();
    const waiting = work();
    if (waiting !== undefined) await waiting;
    reporter.sinkWrite(sink.uri, this.#clock.monotonic() - started);
  }

  /** Sinks take the batch, then the checkpoint. */
  async #commit(opened: Opened, batch: RunBatch): Promise<void> {
    const { checkpointing, reporter, sinks, intake } = opened;
    const { range, outputs, snapshot, seen } = batch;
    const { onStep } = this.#options;
    const clock = this.#clock;
    const started = clock.monotonic();
    const records = [...batch.records];
    for (const { sink, task } of sinks) {
      if (task.records !== undefined) records.push(...task.records(outputs, range));
      if (sink.delivery !== "live" && task.write !== undefined && outputs.length > 0) {
        await this.#timed(opened, sink, () => task.write!(outputs, range));
      }
      onStep?.("write");
    }
    for (const { task } of sinks) {
      await task.flush?.(range);
      onStep?.("flush");
    }
    await this.#ensureTopics(records);
    const written = clock.monotonic();
    if (checkpointing.planned === undefined) await checkpointing.plan(range, false);
    onStep?.("plan");
    const planned = clock.monotonic();
    const needed = sinks.map(({ task }) => task.restartOffset?.())
      .filter((offset) => offset !== undefined);
    onStep?.("commit.before");
    await checkpointing.commit(
      range,
      snapshot,
      seen,
      needed.length === 0 ? undefined : Math.min(...needed),
      records,
      this.#drain.signal,
    );
    const done = this.#lastCommit = clock.monotonic();
    onStep?.("commit.after");
    for (const { task } of sinks) {
      await task.committed?.(range);
      onStep?.("committed");
    }
    reporter.took("addBatch", written - started);
    reporter.took("walCommit", planned - written);
    reporter.took("commitOffsets", done - planned);
    reporter.took("triggerExecution", done - started);
    reporter.batchDone(range, intake.latest);
    const early = (this.#options.progressIntervalMs ?? 1000) - (done - this.#lastReport);
    if (early <= 0) this.#reportNow(opened, range);
    else this.#reportLater(opened, early);
  }

  /** The last batches before a pause are reported too, though no later batch does it for them. */
  #reportLater(opened: Opened, ms: number): void {
    if (this.#reportDue) return;
    this.#reportDue = true;
    this.#clock.sleep(ms, this.#drain.signal).then(
      () => {
        this.#reportDue = false;
        this.#reportNow(opened);
      },
      // The query ends, and reports then.
      () => {},
    );
  }

  /** The topics of dead letters and alerts are made with the first of them. */
  async #ensureTopics(records: readonly OutputRecord[]): Promise<void> {
    const { log, topic } = this.#options;
    for (const { topic: output } of records) {
      if (this.#topics.has(output)) continue;
      await log.createTopic(output, await log.partitionCount(topic));
      this.#topics.add(output);
    }
  }

  #reportNow({ reporter, intake, pipeline }: Opened, range?: BatchRange): void {
    if (!reporter.hasNews) return;
    this.#lastReport = this.#clock.monotonic();
    const last = range ?? { batchId: this.#batchId - 1, start: this.#next, end: this.#next };
    const { progress, measurements } = reporter.report(
      last,
      intake.latest,
      pipeline.stateSizes(),
    );
    this.#options.onProgress?.(progress, measurements);
  }

  /** The camera's own numbers tell how much a topic that is gone took along. */
  #see(frame: Frame, reporter: ProgressReporter): void {
    const sequence = this.#sequence;
    if (!this.#madeAnew) return sequence.see(frame);
    this.#madeAnew = false;
    const { topic, partition, report } = this.#options;
    const { gaps } = sequence;
    const known = sequence.knows(frame);
    sequence.see(frame);
    const lost = sequence.gaps - gaps;
    sequence.gaps = gaps;
    reporter.dropped += lost;
    report(
      known
        ? `Lost ${lost} frames of ${topic} partition ${partition} with the topic that was there before`
        : `Nobody knows how many frames of ${topic} partition ${partition} were lost with the topic that was there before: no frame of this camera's run was seen in it`,
    );
  }

  /** The error when the bytes are no image. */
  #unreadable(frame: Frame): BadFrameError | undefined {
    try {
      this.#options.inspect(frame.value);
    } catch (error) {
      if (error instanceof BadFrameError) return error;
      throw error;
    }
  }

  #badFrame(frame: Frame, error: BadFrameError): void {
    if (this.#rebuilding || this.#opened === undefined) return;
    this.#opened.reporter.deadLettered++;
    this.#records.push(this.#options.deadLetter(frame, error));
  }

  async #close(): Promise<void> {
    // Whatever still waits for frames must let go of the source.
    this.#drain.abort(new StoppedError());
    for (const close of this.#closers) {
      try {
        await close();
      } catch (error) {
        this.#options.report(`Cannot close: ${(error as Error).message}`);
      }
    }
  }
}

/** The query was asked to stop. */
class StoppedError extends Error {
  override readonly name = "StoppedError";

  constructor() {
    super("The streaming query was stopped");
  }
}

/** Two batches of a query with live views, committed as one; the views have their outputs. */
function join(first: RunBatch, second: RunBatch): RunBatch {
  return {
    range: { ...first.range, end: second.range.end },
    outputs: [],
    records: [...first.records, ...second.records],
    snapshot: second.snapshot,
    seen: second.seen,
  };
}
