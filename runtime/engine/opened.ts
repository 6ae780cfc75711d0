// Takes a partition over: its checkpoint, and all parts of a streaming query.
import { given } from "../base/options.ts";
import { type BatchCommitter, LogError } from "../log/log.ts";
import { lastFramesFrom } from "../log/last_frames.ts";
import { startPoint } from "../definition/source_options.ts";
import { AlignedReader } from "./aligned_reader.ts";
import { Checkpointing, type ResumePoint } from "./checkpointing.ts";
import { Intake, type IntakeOptions } from "./intake.ts";
import type { ExecutionOptions, PipelineEvents } from "./options.ts";
import { Pipeline } from "./pipeline.ts";
import { ProgressReporter } from "./reporter.ts";
import { stepNames } from "./step_states.ts";
import type { SequenceTracker } from "./sequence.ts";
import { SinkSet } from "./sinks.ts";

/** The open parts of a streaming query. */
export interface Opened {
  readonly committer: BatchCommitter;
  readonly checkpointing: Checkpointing;
  readonly reporter: ProgressReporter;
  readonly intake: Intake;
  /** Set for a lane with two cameras. */
  readonly aligned: AlignedReader | undefined;
  readonly pipeline: Pipeline;
  readonly sinks: SinkSet;
  /** Start of the next batch. */
  readonly next: number;
  readonly resume: ResumePoint;
}

/** What the streaming query brings. */
export interface Opener {
  readonly options: ExecutionOptions;
  readonly events: PipelineEvents;
  readonly sequence: SequenceTracker;
  /** Cancels every wait for frames. */
  readonly drain: AbortSignal;
  /** Cancels all work. */
  readonly abort: AbortSignal;
  /** Registers what must be closed, also if the rest fails to open; called in reverse order. */
  readonly onClose: (close: () => void | Promise<void>) => void;
}

/** Owns the checkpoint, finds the start offset, and opens operators, sinks and the source. */
export async function takeOver(opener: Opener): Promise<Opened> {
  const { options, sequence, onClose } = opener;
  const { plan, log, reader, topic, partition, clock } = options;
  const groups = options.groups?.();
  if (groups !== undefined) onClose(() => groups.close());
  const committer = await log.committer({
    group: options.group,
    query: plan.name,
    topic,
    partition,
    outputTopics: outputTopics(options),
    ...given({
      membership: options.membership,
      checkpointLocation: plan.source.checkpointLocation,
    }),
  });
  onClose(() => committer.close());
  const recreated = await committer.recreated?.() ? await log.offsets(topic, partition) : undefined;
  const next = committer.committed?.end ?? committer.planned?.start ??
    await beginning(options, committer);
  const steps = stepNames(plan.operators);
  const known = committer.committed === undefined ? await log.partitionCount(topic) : undefined;
  const checkpointing = new Checkpointing(committer, next, clock, steps, groups, known);
  const { resume } = checkpointing;
  sequence.restore(resume.seen);
  const reporter = new ProgressReporter({ ...options, id: committer.queryId }, sequence);
  const source = await reader.open(topic, partition, resume.readFrom, options.onProblem);
  onClose(() => source.close());
  const intakeOptions: IntakeOptions = {
    ...options,
    source,
    groups,
    signal: opener.drain,
    onDropped: (count, reason, until) => {
      reporter.drop(count, reason, until);
      sequence.drop(count, until);
    },
  };
  let intake = new Intake(intakeOptions);
  onClose(() => intake.close());
  const { keyframe, readFrom } = resume;
  if (keyframe < readFrom) await intake.readGroup(keyframe, readFrom);
  const start = recreated === undefined
    ? { ...resume, decided: checkpointing.planned?.end ?? next }
    : { aligned: undefined, readFrom: recreated.earliest, decided: recreated.earliest };
  // Frames of the other camera are not in the sequence of this one, nor are their offsets.
  const onDropped: IntakeOptions["onDropped"] = (count, reason) => reporter.drop(count, reason);
  const beside = { ...intakeOptions, onDropped };
  const aligned = await AlignedReader.open(options, beside, start, onClose);
  if (aligned !== undefined) intake = new Intake({ ...intakeOptions, source: aligned });
  checkpointing.aligned = aligned;
  if (recreated !== undefined) intake.lost(recreated);
  const pipeline = new Pipeline(plan.operators, {
    context: { query: plan.name, topic, partition, clock, signal: opener.abort },
    events: opener.events,
    policy: plan.onOperatorError,
    deadInputs: options.deadInputs ?? [],
  });
  await pipeline.open(resume.base, resume.pipeline, plan.droppedState);
  onClose(() => pipeline.close());
  const sinks = await SinkSet.open(plan.sinks, {
    context: Object.freeze({
      query: plan.name,
      topic,
      partition,
      committedEnd: next,
      committedBatch: committer.committed?.batchId ?? -1,
      clock,
      signal: opener.abort,
      report: options.report,
    }),
    pictures: options.pictures,
    onWrite: (uri, ms) => reporter.sinkWrite(uri, ms),
    call: opener.events.call,
    open: opener.events.open,
    onFunction: options.onFunction,
  }, onClose);
  return { committer, checkpointing, reporter, intake, aligned, pipeline, sinks, next, resume };
}

export function outputTopics({ plan }: ExecutionOptions): string[] {
  return plan.sinks.flatMap(({ topics }) => topics ?? []);
}

/** Where a query without a checkpoint begins: recorded at once, whether or not a batch comes. */
async function beginning(options: ExecutionOptions, committer: BatchCommitter): Promise<number> {
  const start = await startOffset(options);
  await committer.plan({ batchId: 0, start, end: start }, true);
  return start;
}

async function startOffset(options: ExecutionOptions): Promise<number> {
  const { plan, log, topic, partition, clock } = options;
  const { earliest, latest } = await log.offsets(topic, partition);
  if (options.foundLater === true) return earliest;
  const point = startPoint(plan.source, topic, partition);
  switch (point.kind) {
    case "earliest":
      return earliest;
    case "latest":
      return latest;
    case "last-frames":
      return await lastFramesFrom(log, topic, partition, point.frames);
    case "last-ms":
      return await log.offsetForTime(topic, partition, clock.now() - point.ms);
    case "timestamp":
      return await log.offsetForTime(topic, partition, point.timestamp);
    case "offset":
      // Where losses are allowed, reading counts what is gone, and continues.
      if (plan.source.failOnDataLoss === false) return point.offset;
      if (point.offset >= earliest && point.offset <= latest) return point.offset;
      throw new LogError(
        "OFFSET_OUT_OF_RANGE",
        `Cannot start ${topic} partition ${partition} at offset ${point.offset}: expected ${earliest} to ${latest}`,
        { range: { earliest, latest } },
      );
  }
}
