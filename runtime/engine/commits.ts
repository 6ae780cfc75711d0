// Commits batches: sinks take a batch, then the checkpoint records it. One batch is committed at a
// time, in order; batches of live views wait and are committed together.
import { type BatchRange, LogError, type OutputRecord } from "../log/log.ts";
import { NO_TOTALS } from "../definition/progress.ts";
import type { AfterBatch } from "./checkpointing.ts";
import type { NamedMetrics } from "./observed.ts";
import { type Opened, outputTopics } from "./opened.ts";
import type { ExecutionOptions } from "./options.ts";
import { Rows } from "./reporter.ts";

/**
 * How often a query with live views alone commits: nothing that it did can be doubled. All lanes of
 * an executor commit at the same moment, so that a log can take their commits together.
 */
export const LIVE_COMMIT_INTERVAL_MS = 1000;

/** The offsets of a batch, which grow while batches of live views wait to be committed with it. */
export interface GrowingRange extends BatchRange {
  end: number;
}

/** A batch that runs, or has run and is not committed yet. */
export class Batch {
  readonly range: GrowingRange;
  /** Outputs for the sinks that take whole batches. */
  readonly outputs: unknown[] = [];
  /** Dead letters, alerts and results, committed with the batch. */
  readonly records: OutputRecord[] = [];
  readonly rows = new Rows();
  totals = NO_TOTALS;

  constructor(range: GrowingRange) {
    this.range = range;
  }
}

/** How long a topic that could not be created is left alone, milliseconds. */
const RETRY_TOPIC_MS = 60_000;

/** Callbacks of a commit. */
export interface CommitEvents {
  /** The state to commit with a batch: nothing has run since its end. */
  readonly onBegin: (end: number) => AfterBatch;
  readonly onCommitted: (range: BatchRange) => void;
  /** A commit failed: all waits for frames must end. */
  readonly onFailed: (error: unknown, range: BatchRange) => void;
}

export class Commits {
  readonly #opened: Opened;
  readonly #options: ExecutionOptions;
  readonly #drain: AbortSignal;
  readonly #events: CommitEvents;
  readonly #topics: Set<string>;
  /**
   * Topics that cannot be created: when each is tried again, on the monotonic clock, and what was
   * reported.
   */
  readonly #refused = new Map<string, { until: number; error: LogError; reported: Set<string> }>();
  nextBatchId: number;
  #running: Promise<void> = Promise.resolve();
  #held: Batch | undefined;
  #last: number;

  constructor(
    opened: Opened,
    options: ExecutionOptions,
    drain: AbortSignal,
    events: CommitEvents,
  ) {
    this.#opened = opened;
    this.#options = options;
    this.#drain = drain;
    this.#events = events;
    this.#topics = new Set(outputTopics(options));
    this.nextBatchId = (opened.committer.committed?.batchId ?? -1) + 1;
    this.#last = options.clock.monotonic();
  }

  /** When a waiting batch should be committed, monotonic; `Infinity` if none waits. */
  get due(): number {
    return this.#held === undefined
      ? Infinity
      : (momentOf(this.#options.clock.monotonic()) + 1) * LIVE_COMMIT_INTERVAL_MS;
  }

  /** The batch to commit what runs next with: one that waits (its views have its outputs), or a new one. */
  batchOf(range: BatchRange): Batch {
    const batch = this.#held ??= new Batch({ ...range });
    batch.range.end = range.end;
    return batch;
  }

  /**
   * Starts to commit the waiting batch if it is due or `now` is set, once the previous commit has
   * ended.
   */
  begin(now: boolean): void | Promise<void> {
    const batch = this.#held;
    if (batch === undefined) return;
    if (now || momentOf(this.#options.clock.monotonic()) !== momentOf(this.#last)) {
      return this.#begin(batch);
    }
  }

  async #begin(batch: Batch): Promise<void> {
    const after = this.#events.onBegin(batch.range.end);
    const observed = this.#opened.pipeline.observed();
    this.#held = undefined;
    this.nextBatchId = batch.range.batchId + 1;
    // Several sinks get both.
    Object.freeze(batch.range);
    Object.freeze(batch.outputs);
    await this.#running;
    this.#running = this.#commit(batch, after, observed);
    this.#running.catch((error) => this.#events.onFailed(error, batch.range));
  }

  async settled(): Promise<void> {
    await this.#running;
  }

  /** Writes the batch to the sinks, then commits the checkpoint. */
  async #commit(
    batch: Batch,
    after: AfterBatch,
    observed: readonly NamedMetrics[],
  ): Promise<void> {
    const { checkpointing, committer, reporter, sinks } = this.#opened;
    const { range, outputs } = batch;
    const { onTotals, clock } = this.#options;
    const started = clock.monotonic();
    const replaced = new Set<OutputRecord>();
    const written = await sinks.write(outputs, range);
    const records = [...batch.records, ...written.map((record) => noted(record, replaced))];
    const lost = await this.#ensureTopics(records);
    const writtenAt = clock.monotonic();
    if (checkpointing.planned === undefined) await committer.plan(range, false);
    const planned = clock.monotonic();
    if (this.#options.owns?.() === false) {
      throw new LogError("FENCED", "Cannot commit: another run of this query has taken over");
    }
    await checkpointing.commit(
      range,
      after,
      sinks.restartOffset(range),
      records.filter((record) => !lost.has(record)),
      { repeatable: sinks.live },
      this.#drain,
    );
    const done = this.#last = clock.monotonic();
    reporter.replaced += replaced.size;
    const { totals } = batch;
    reporter.totals = { ...totals, deadLettered: totals.deadLettered + reporter.replaced };
    onTotals?.(reporter.totals);
    reporter.observed.add(observed);
    reporter.committed(batch.rows);
    await sinks.committed(range);
    reporter.took("addBatch", writtenAt - started);
    reporter.took("walCommit", planned - writtenAt);
    reporter.took("commitOffsets", done - planned);
    reporter.took("triggerExecution", done - started);
    this.#events.onCommitted(range);
  }

  /**
   * Creates the topics of dead letters, alerts and findings with the first record of each.
   *
   * @returns optional records without a topic: the user may not create one, or its name is too
   * long.
   */
  async #ensureTopics(records: readonly OutputRecord[]): Promise<ReadonlySet<OutputRecord>> {
    const { log, topic, report, clock } = this.#options;
    const lost = new Set<OutputRecord>();
    for (const record of records) {
      const { topic: output, optional, retentionBytes } = record;
      if (this.#topics.has(output)) continue;
      let refused = this.#refused.get(output);
      if (refused === undefined || optional === undefined || clock.monotonic() >= refused.until) {
        try {
          await log.createTopic(output, await log.partitionCount(topic), { retentionBytes });
          this.#topics.add(output);
          continue;
        } catch (error) {
          const lasting = error instanceof LogError && !error.retryable;
          if (optional === undefined || !lasting) throw error;
          const until = clock.monotonic() + RETRY_TOPIC_MS;
          refused = { until, error, reported: new Set() };
          this.#refused.set(output, refused);
        }
      }
      lost.add(record);
      if (refused.reported.has(optional)) continue;
      refused.reported.add(optional);
      report(`Cannot keep ${optional}: ${refused.error.message}`);
    }
    return lost;
  }
}

/** The record, which notes when the log takes its smaller replacement. */
function noted(record: OutputRecord, replaced: Set<OutputRecord>): OutputRecord {
  const { smaller } = record;
  if (smaller === undefined) return record;
  return {
    ...record,
    smaller: (refusal) => {
      replaced.add(record);
      return smaller(refusal);
    },
  };
}

function momentOf(monotonic: number): number {
  return Math.floor(monotonic / LIVE_COMMIT_INTERVAL_MS);
}
