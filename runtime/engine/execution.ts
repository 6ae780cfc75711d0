// The life of a streaming query: one query on one partition.
//
// Two records make it exactly-once. Before a batch runs, `plan` records its offsets; afterwards, `commit`
// makes its outputs and its end visible at once. Whatever happens in between is repeated by the next owner,
// from the same offsets, with the same outputs.
//
//   take over → rebuild → ( construct next batch → run batch → commit batch )* → close
//
// While one batch is being committed, the next one is already processed; its outputs wait.
import type { Clock } from "../base/clock.ts";
import { messageOf } from "../base/errors.ts";
import { printable } from "../base/mask.ts";
import { shown } from "../base/options.ts";
import type { Frame } from "../definition/frame.ts";
import type { BatchRange, Membership } from "../log/log.ts";
import { NO_TOTALS, type QueryTotals } from "../definition/progress.ts";
import { TickTimer } from "../definition/trigger.ts";
import { BatchBuilder } from "./batch_builder.ts";
import { BatchRunner } from "./batch_runner.ts";
import { Commits, LIVE_COMMIT_INTERVAL_MS } from "./commits.ts";
import { type Opened, type Opener, takeOver } from "./opened.ts";
import { type ExecutionOptions, type StopMode, StoppedError } from "./options.ts";
import { ReadEnd } from "./read_end.ts";
import { Reports } from "./reports.ts";
import { SequenceTracker } from "./sequence.ts";

export class StreamingExecution {
  readonly #options: ExecutionOptions;
  readonly #clock: Clock;
  readonly #abort = new AbortController();
  readonly #drain = new AbortController();
  readonly #runner: BatchRunner;
  readonly #opener: Opener;
  readonly #closers: (() => void | Promise<void>)[] = [];
  /** Unset until the take-over is complete. */
  #opened!: Opened;
  #commits!: Commits;
  batch: BatchRange | undefined;
  #end!: ReadEnd;
  #builder!: BatchBuilder;
  /** Start of the next batch. */
  #next = 0;
  /** Another runtime continues here. */
  #moves = false;
  /** A membership newer than the initial one. */
  #renewed: Membership | undefined;

  constructor(options: ExecutionOptions) {
    this.#options = options;
    this.#clock = options.clock;
    const { topic, partition } = options;
    const sequence = new SequenceTracker((sessions) => {
      const [first, second] = sessions.map((name) => printable(shown(name)));
      options.report(
        `Two cameras publish to ${topic} partition ${partition}: ${first} and ${second} alternate`,
      );
    });
    this.#runner = new BatchRunner(options, sequence, this.#abort.signal);
    this.#opener = {
      options,
      events: this.#runner.events,
      sequence,
      drain: this.#drain.signal,
      abort: this.#abort.signal,
      onClose: (close) => void this.#closers.unshift(close),
    };
  }

  /** Totals of what this run has committed. */
  get totals(): QueryTotals {
    return this.#opened?.reporter.totals ?? NO_TOTALS;
  }

  /** Which calls of operators and sinks take long, in words; empty if none does. */
  get longCalls(): string {
    return this.#runner.events.open.long;
  }

  /** Asks the query to end; `run` resolves once it has. */
  stop(mode: StopMode): void {
    const reason = new StoppedError();
    this.#moves = mode === "move";
    this.#drain.abort(reason);
    if (mode === "abort") this.#abort.abort(reason);
  }

  /** The group has a new generation, and the partition is still ours. */
  renew(membership: Membership): void {
    // During a take-over nothing is open yet: `run` renews then.
    this.#renewed = membership;
    this.#opened?.committer.renew(membership);
    this.#opened?.checkpointing.renewed();
  }

  /**
   * Runs until the trigger ends the query or `stop` is called.
   *
   * @throws {LogError} `FENCED` if another owner took over, `OFFSET_OUT_OF_RANGE` if frames were lost and
   * `failOnDataLoss` is on; also any error of an operator, a sink or the log
   */
  async run(): Promise<QueryTotals> {
    try {
      const opened = this.#opened = await takeOver(this.#opener);
      if (this.#renewed !== undefined) opened.committer.renew(this.#renewed);
      this.#next = opened.next;
      this.#runner.resume(opened);
      const reports = new Reports(opened, this.#options, this.#drain);
      this.#opener.onClose(() => reports.send());
      this.#commits = new Commits(opened, this.#options, this.#drain.signal, {
        onBegin: (end) => this.#runner.stateAt(end),
        onCommitted: (range) => {
          if (range.end >= this.#next) this.#options.onTrigger?.(false);
          reports.batchDone(range);
        },
        onFailed: (error, range) => {
          this.batch = range;
          this.#drain.abort(error);
        },
      });
      this.#end = await ReadEnd.of(this.#options);
      this.#builder = new BatchBuilder(this.#options, opened, this.#end, this.#commits);
      this.#options.onStarted?.(opened.committer.queryId, this.#next);
      for (const change of opened.pipeline.changes) {
        this.#options.report(`The query changed since its checkpoint was written: ${change}`);
      }
      await this.#rebuild();
      await this.#runBatches();
    } catch (error) {
      // An error after an abort is a consequence of it.
      if (!(error instanceof StoppedError) && !this.#abort.signal.aborted) throw error;
    } finally {
      await this.#close();
    }
    return this.totals;
  }

  /** Reopens the operators at `offset`, without their open windows. */
  async #beginAt(offset: number): Promise<void> {
    await this.#opened.pipeline.beginAgain(offset);
    this.#opened.checkpointing.beginAt(offset);
  }

  /** Continues in a topic that was created again, if it was. */
  async #continueRecreated(): Promise<boolean> {
    const { intake, checkpointing: { planned }, committer } = this.#opened;
    const start = intake.takeRecreated();
    if (start === undefined) return false;
    // The frames of a planned batch went with the topic that was.
    if (planned !== undefined) await this.#runAndCommit([], planned.end);
    await this.#commits.begin(true);
    await this.#commits.settled();
    await this.#beginAt(start);
    this.#next = start;
    this.#runner.topicRecreated();
    await committer.recreated?.();
    // Saved at once: after a restart the old offset would count for the new topic.
    await this.#runAndCommit([], start);
    return true;
  }

  /** Reads again the frames that open windows and unfinished files need. */
  async #rebuild(): Promise<void> {
    const { intake, pipeline, resume: { after, sinksOnly } } = this.#opened;
    const { plan, topic, partition, report } = this.#options;
    let lacking = false;
    await intake.reread({
      until: this.#next,
      onMissing: (earliest) => {
        if (!sinksOnly) return false;
        report(
          `Cannot read ${topic} partition ${partition} again from offset ${intake.position}: the log starts at ${earliest}. Nothing is lost: unfinished files continue without`,
        );
        lacking = true;
        // Stateless operators make the same of each frame, wherever they begin.
        const stateless = plan.operators.every(({ kind }) => kind === undefined);
        intake.seek(stateless ? earliest : this.#next);
        return true;
      },
    }, (frames) => this.#runner.replay(frames));
    if (await this.#continueRecreated()) return;
    if (lacking) await this.#beginAt(this.#next);
    else if (after !== undefined) await pipeline.restoreStates(after, plan.droppedState);
    if (intake.position < this.#next) intake.seek(this.#next);
  }

  /** Runs batches until the trigger ends the query or it is stopped. */
  async #runBatches(): Promise<void> {
    const { aligned, checkpointing: { planned }, intake, pipeline } = this.#opened;
    const { plan, log, topic, partition, report } = this.#options;
    const { trigger } = plan;
    try {
      if (planned !== undefined) await this.#rerun(planned);
      else if (aligned?.isNew) await this.#runAndCommit([], this.#next);
      if (trigger.kind === "available-now") {
        const { latest } = await log.offsets(topic, partition);
        await this.#runUntil(latest);
      } else if (trigger.kind === "interval") {
        const ticks = new TickTimer(this.#clock, trigger.ms, (late) =>
          report(
            `Falling behind: a batch ended ${
              Math.round(late)
            } ms after the next tick of the ${trigger.ms} ms interval`,
          ));
        // The reader knows nothing yet.
        let latest = (await log.offsets(topic, partition)).latest;
        while (!this.#end.isBehind(this.#next)) {
          await ticks.wait(this.#drain.signal);
          await this.#checkRange(latest);
          latest = Math.max(latest, intake.latest);
          const now = this.#clock.now();
          const taken = await this.#builder.atTick(this.#next, latest);
          if (taken !== undefined) await this.#runAndCommit(taken.frames, taken.end);
          await this.#runTimers(now);
          // Live views' batches are committed together, but not only at a distant tick.
          await this.#commits.begin(trigger.ms >= LIVE_COMMIT_INTERVAL_MS);
          await this.#continueRecreated();
          latest = 0;
        }
      } else {
        while (!this.#end.isBehind(this.#next)) {
          const taken = this.#builder.asSoonAsPossible(this.#next);
          if (taken !== undefined) await this.#runAndCommit(taken.frames, taken.end);
          else await this.#commits.begin(false);
          if (intake.recreated) await this.#continueRecreated();
          else if (taken === undefined && !this.#end.reached) {
            await intake.arrival(this.#builder.due);
          }
        }
      }
      // Timers that are due at its end do not wait for another run.
      await this.#runTimers(this.#clock.now());
    } catch (error) {
      if (!(error instanceof StoppedError) || this.#abort.signal.aborted) {
        await this.#commits.settled().catch(() => {});
        throw error;
      }
    }
    if (pipeline.finishes && !this.#moves) {
      const why = this.#drain.signal.aborted ? "stopped" : "ended";
      await this.#runAndCommit([], this.#next, why);
    }
    await this.#commits.begin(true);
    await this.#commits.settled();
    // A query that ends by itself must not look as if it had found nothing.
    const failed = trigger.kind === "available-now" ? pipeline.failedOnAll : undefined;
    if (failed !== undefined) throw failed;
  }

  /** Runs all timers that were due at a time, and still are: a batch runs only some, so that frames have their turn. */
  async #runTimers(due: number): Promise<void> {
    while (this.#opened.pipeline.nextTimer() <= Math.min(due, this.#clock.now())) {
      this.#drain.signal.throwIfAborted();
      await this.#runAndCommit([], this.#next);
    }
  }

  /** Re-runs a batch planned before a crash with exactly its offsets. */
  async #rerun(planned: BatchRange): Promise<void> {
    const frames = await this.#opened.intake.readAll(planned.end);
    await this.#runAndCommit(frames, planned.end);
    // Live views' batches would be committed with later ones, beyond the plan.
    await this.#commits.begin(true);
    await this.#commits.settled();
    await this.#continueRecreated();
  }

  /** Runs batches of everything below an offset. */
  async #runUntil(end: number): Promise<void> {
    const { log, topic, partition } = this.#options;
    const { intake, reporter } = this.#opened;
    if (await this.#checkRange(end)) end = intake.latest;
    end = Math.min(end, this.#end.offset);
    while (this.#next < end && !this.#end.reached) {
      this.#drain.signal.throwIfAborted();
      const started = this.#clock.monotonic();
      const read = await intake.readUntil(this.#builder.max, end);
      const more = this.#end.clip({ frames: read, end: intake.position });
      if (read.length === 0) end = intake.held ?? end;
      reporter.took("getBatch", this.#clock.monotonic() - started);
      if (await this.#continueRecreated()) {
        end = Math.min((await log.offsets(topic, partition)).latest, this.#end.offset);
        continue;
      }
      await this.#runAndCommit(more.frames, read.length === 0 ? end : Math.min(more.end, end));
    }
  }

  /**
   * Notices a topic that was created again and is shorter: reads never go beyond the end of a
   * partition.
   *
   * @returns whether the query now continues in a recreated topic
   */
  async #checkRange(latest: number): Promise<boolean> {
    const { log, topic, partition } = this.#options;
    if (this.#next <= Math.max(latest, this.#opened.intake.latest)) return false;
    const range = await log.offsets(topic, partition);
    if (this.#next > range.latest) this.#opened.intake.lost(range);
    return await this.#continueRecreated();
  }

  /** Runs a batch, and begins to commit it; `last` closes the operators' open windows. */
  async #runAndCommit(
    frames: readonly Frame[],
    end: number,
    last?: "ended" | "stopped",
  ): Promise<void> {
    const { checkpointing, committer, reporter, sinks } = this.#opened;
    const first = frames[0]?.offset ?? 0;
    const repeatable = sinks.needsPlan && checkpointing.planned === undefined;
    if (repeatable && first > this.#next && reporter.droppedTo > this.#next) {
      // What was dropped before the batch would come again with it, after a crash.
      await this.#runAndCommit([], first);
    }
    this.#options.onTrigger?.(true);
    const range = { batchId: this.#commits.nextBatchId, start: this.#next, end };
    this.batch = range;
    if (sinks.needsPlan) {
      await this.#commits.settled();
      const started = this.#clock.monotonic();
      if (checkpointing.planned === undefined) await committer.plan(range, true);
      reporter.took("walCommit", this.#clock.monotonic() - started);
    }
    await this.#runner.run(frames, this.#commits.batchOf(range), range, last);
    this.#next = Math.max(this.#next, end);
    // One that waits for its commit with others costs no promise.
    const begun = this.#commits.begin(!sinks.live);
    if (begun !== undefined) await begun;
    if (sinks.live) this.#options.onTrigger?.(false);
  }

  async #close(): Promise<void> {
    // All waits for frames end, so that the source can close.
    this.#drain.abort(new StoppedError());
    for (const close of this.#closers) {
      try {
        await close();
      } catch (error) {
        this.#options.report(`Cannot close: ${messageOf(error)}`);
      }
    }
  }
}
