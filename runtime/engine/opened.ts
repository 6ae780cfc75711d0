/**
 * Taking a partition over: its checkpoint, and all that a streaming query works with from there on.
 *
 * @module
 */
import { type BatchCommitter, LogError, type PartitionReader } from "../log/log.ts";
import { lastFramesFrom } from "../log/last_frames.ts";
import type { Sink, SinkTask } from "../definition/sink.ts";
import { startPoint } from "../definition/source_options.ts";
import { isFiniteTrigger } from "../definition/trigger.ts";
import { Checkpointing, type ResumePoint } from "./checkpointing.ts";
import { Intake } from "./intake.ts";
import type { ExecutionOptions } from "./options.ts";
import { Pipeline, type PipelineEvents } from "./pipeline.ts";
import { ProgressReporter } from "./reporter.ts";
import { stepNames } from "./step_states.ts";
import type { SequenceTracker } from "./sequence.ts";

/** A sink, and its work on this partition. */
export interface OpenSink {
  readonly sink: Sink<unknown>;
  readonly task: SinkTask<unknown>;
}

/** What a streaming query works with. */
export interface Opened {
  readonly committer: BatchCommitter;
  readonly checkpointing: Checkpointing;
  readonly reporter: ProgressReporter;
  readonly source: PartitionReader;
  readonly intake: Intake;
  pipeline: Pipeline;
  readonly sinks: readonly OpenSink[];
  /** Start of the next batch. */
  readonly next: number;
  readonly resume: ResumePoint;
}

/** What the streaming query itself has. */
export interface Opener {
  readonly options: ExecutionOptions;
  readonly events: PipelineEvents;
  readonly sequence: SequenceTracker;
  /** Ends every wait for frames. */
  readonly drain: AbortSignal;
  /** Ends all work. */
  readonly abort: AbortSignal;
  /** Takes what must be closed, also when the rest does not open; called in reverse order. */
  readonly onClose: (close: () => void | Promise<void>) => void;
}

/** Owns the checkpoint, finds the start offset, opens operators, sinks and the source. */
export async function takeOver(opener: Opener): Promise<Opened> {
  const { options, sequence, onClose } = opener;
  const { plan, log, reader, topic, partition, clock, inspect, groups } = options;
  if (groups !== undefined) onClose(() => groups.close());
  const committer = await openCommitter(options);
  onClose(() => committer.close());
  const next = committer.committed?.end ?? committer.planned?.start ??
    await beginning(opener, committer);
  const checkpointing = new Checkpointing(
    committer,
    next,
    clock,
    stepNames(plan.operators),
    groups,
  );
  const resume = checkpointing.resumePoint(next);
  sequence.restore(resume.seen);
  const reporter = new ProgressReporter(
    {
      id: committer.queryId,
      runId: options.runId,
      query: plan.name,
      topic,
      partition,
      sourceDescription: `${log.url}/${topic}/${partition}`,
      sinkDescription: plan.sinks.map(({ uri }) => uri).join(", "),
    },
    clock,
    sequence,
  );
  const source = await reader.open(topic, partition, resume.readFrom, options.report);
  onClose(() => source.close());
  const intake = new Intake({
    source,
    topic,
    partition,
    query: plan.name,
    failOnDataLoss: plan.source.failOnDataLoss ?? true,
    // What takes all there is and ends has nothing to keep up with.
    overload: isFiniteTrigger(plan.trigger) ? { kind: "wait" } : plan.overload,
    clock,
    signal: opener.drain,
    report: options.report,
    inspect,
    ...(groups === undefined ? {} : { groups }),
    onDropped: (count, reason) => {
      reporter.drop(count, reason);
      sequence.skip();
    },
  });
  const { keyframe, readFrom } = resume;
  if (keyframe < readFrom) await intake.readGroup(keyframe, readFrom);
  const opened = {
    committer,
    checkpointing,
    reporter,
    source,
    intake,
    pipeline: await openPipeline(opener, resume.base, resume.pipeline),
    sinks: [] as OpenSink[],
    next,
    resume,
  };
  onClose(() => opened.pipeline.close());
  // All at once: each may take its time, and a query that is told to stop has not much.
  onClose(() => closeAll(opened.sinks));
  for (const sink of plan.sinks) {
    opened.sinks.push({ sink, task: await openTask(sink, opener, committer) });
  }
  return opened;
}

/** @throws the first error, when all are closed. */
async function closeAll(sinks: readonly OpenSink[]): Promise<void> {
  const closed = await Promise.allSettled(sinks.map(async ({ task }) => await task.close?.()));
  for (const one of closed) if (one.status === "rejected") throw one.reason;
}

/** The operators, as they are when the frames from `base` on are still to come. */
export function openPipeline(
  { options, events, abort }: Opener,
  base: number,
  state?: Uint8Array,
): Promise<Pipeline> {
  const { plan, topic, partition, clock } = options;
  const context = { query: plan.name, topic, partition, clock, signal: abort };
  return Pipeline.open(plan.operators, context, events, base, state, plan.droppedState);
}

/** Topics that the sinks write to. */
export function outputTopics({ plan }: ExecutionOptions): string[] {
  return plan.sinks.flatMap(({ topics }) => topics ?? []);
}

function openCommitter(options: ExecutionOptions): Promise<BatchCommitter> {
  const { plan, log, topic, partition, group, membership } = options;
  return log.committer({
    group,
    query: plan.name,
    topic,
    partition,
    outputTopics: outputTopics(options),
    ...(membership !== undefined ? { membership } : {}),
  });
}

async function openTask(
  sink: Sink<unknown>,
  { options, abort }: Opener,
  { committed }: BatchCommitter,
): Promise<SinkTask<unknown>> {
  return await sink.open({
    query: options.plan.name,
    topic: options.topic,
    partition: options.partition,
    committedEnd: committed?.end ?? 0,
    committedBatch: committed?.batchId ?? -1,
    clock: options.clock,
    signal: abort,
    publish: options.publish,
    report: options.report,
  });
}

/** Where a query without a checkpoint begins: kept from now on, whether or not a batch comes. */
async function beginning({ options }: Opener, committer: BatchCommitter): Promise<number> {
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
      // Where losses are allowed, reading counts what is no longer there, and goes on.
      if (plan.source.failOnDataLoss === false) return point.offset;
      if (point.offset >= earliest && point.offset <= latest) return point.offset;
      throw new LogError(
        "OFFSET_OUT_OF_RANGE",
        `Cannot start ${topic} partition ${partition} at offset ${point.offset}: expected ${earliest} to ${latest}`,
        { range: { earliest, latest } },
      );
  }
}
