// Counts what happens in a streaming query and makes progress reports in Spark's format.
import type { Clock } from "../base/clock.ts";
import { given } from "../base/options.ts";
import { type Frame, laneName } from "../definition/frame.ts";
import { cameraIdentity } from "../lanes.ts";
import {
  type DurationMs,
  NO_TOTALS,
  type QueryTotals,
  type StateOperatorProgress,
  type StreamingQueryProgress,
} from "../definition/progress.ts";
import type { QueryPlan } from "../definition/plan.ts";
import { frameTime } from "../log/checks.ts";
import type { BatchRange, TopicLog } from "../log/log.ts";
import { observedJson, ObservedMetrics, type ReportedMetric } from "./observed.ts";
import { Samples } from "./samples.ts";
import type { SequenceTracker } from "./sequence.ts";

export type Step = keyof DurationMs;

/** Raw measurements since the last report, for histograms, in seconds. */
export interface Measurements {
  readonly endToEnd: number[];
  readonly processing: number[];
  readonly sinkWrites: Record<string, number[]>;
  readonly observed?: readonly ReportedMetric[];
}

/**
 * Why a frame was dropped: by the overload policy, deleted by the log before it was read, or in a video
 * stream without a keyframe.
 */
export type DropReason = "overload" | "lost" | "no-keyframe";

/** Period covered by latency percentiles, milliseconds. */
const LATENCY_SPAN_MS = 10_000;
/** Most measurements kept between two reports. */
const MEASUREMENTS = 2048;

export interface ReporterOptions
  extends Pick<StreamingQueryProgress, "id" | "runId" | "topic" | "partition"> {
  readonly plan: QueryPlan;
  readonly log: Pick<TopicLog, "url">;
  readonly clock: Clock;
}

/** The frames of a batch, and the number of its outputs. */
export class Rows {
  read = 0;
  outputs = 0;
  /** Capture times. */
  first = Infinity;
  last = -Infinity;
  sum = 0;

  see(timestamp: number): void {
    this.read++;
    this.first = Math.min(this.first, timestamp);
    this.last = Math.max(this.last, timestamp);
    this.sum += timestamp;
  }

  add({ read, outputs, first, last, sum }: Rows): void {
    this.read += read;
    this.outputs += outputs;
    this.first = Math.min(this.first, first);
    this.last = Math.max(this.last, last);
    this.sum += sum;
  }
}

/** A committed batch, and one past the last offset of the log at that moment. */
interface Committed {
  readonly batch: BatchRange;
  readonly latest: number;
}

/** What is counted from one report to the next. */
class Period {
  readonly measurements: Measurements = {
    endToEnd: [],
    processing: [],
    sinkWrites: {},
  };
  readonly durations: Record<Step, number> = {
    latestOffset: 0,
    getBatch: 0,
    queryPlanning: 0,
    walCommit: 0,
    addBatch: 0,
    commitOffsets: 0,
    triggerExecution: 0,
  };
  /** Of the committed batches. */
  readonly rows = new Rows();
  batches = 0;
  startOffset: number | undefined;
  newest: Committed | undefined;
  /** Offsets that each batch left in the log. */
  readonly behind = { sum: 0, max: 0, min: Infinity };

  /** Its start, monotonic and epoch milliseconds. */
  constructor(readonly start: number, readonly startWall: number) {}
}

export class ProgressReporter {
  frames = 0;
  outputs = 0;
  deadLettered = 0;
  repaired = 0;
  /** Outputs that the log took in a smaller form. */
  replaced = 0;
  totals: QueryTotals = NO_TOTALS;
  late = 0;
  /** User-defined metrics of the operators. */
  readonly observed = new ObservedMetrics();
  ahead = 0;
  /** The last frames that the overload policy dropped are below this offset. */
  droppedTo = 0;
  readonly #options: ReporterOptions;
  readonly #clock: Clock;
  readonly #sequence: SequenceTracker;
  readonly #queueing = new Samples();
  readonly #processing = new Samples();
  readonly #endToEnd = new Samples();
  readonly #dropped = { overload: 0, lost: 0, "no-keyframe": 0 };
  /** Frames dropped beyond the newest batch, below `until`: they count with the batch that passes them. */
  #beyond: { readonly count: number; readonly reason: DropReason; readonly until: number }[] = [];
  #period: Period;
  /** The running batch; the previous one may not be committed yet. */
  #running = new Rows();
  #watermark: number | undefined;
  /** Of the newest frame. */
  #key: Frame["key"] = null;
  #headers: Frame["headers"] = {};

  constructor(options: ReporterOptions, sequence: SequenceTracker) {
    const { clock } = this.#options = options;
    this.#clock = clock;
    this.#sequence = sequence;
    this.#period = new Period(clock.monotonic(), clock.now());
  }

  /** Counts frames that no operator sees. */
  drop(count: number, reason: DropReason, until = 0): void {
    if (count === 0) return;
    if (reason === "overload") this.droppedTo = until;
    this.#beyond.push({ count, reason, until });
  }

  /** Totals including the batch that has just run, up to `end`; replacements are known at its commit. */
  counted(end: number): QueryTotals {
    for (const { count, reason, until } of this.#beyond) {
      if (until <= end) this.#dropped[reason] += count;
    }
    this.#beyond = this.#beyond.filter(({ until }) => until > end);
    const { gaps, duplicates, orderViolations } = this.#sequence;
    const { overload, lost, "no-keyframe": noKeyframe } = this.#dropped;
    return {
      frames: this.frames,
      outputs: this.outputs,
      dropped: overload + lost + noKeyframe,
      deadLettered: this.deadLettered,
      gaps,
      duplicates,
      orderViolations,
      ...(lost > 0 ? { lost } : {}),
      ...(noKeyframe > 0 ? { noKeyframe } : {}),
      ...(this.late > 0 ? { late: this.late } : {}),
      ...(this.ahead > 0 ? { ahead: this.ahead } : {}),
      ...(this.repaired > 0 ? { repaired: this.repaired } : {}),
    };
  }

  /** @param at the same moment as `arrival`, monotonic */
  frameRead({ timestamp, key, headers }: Frame, arrival: number, at: number): void {
    this.#key = key;
    this.#headers = headers;
    this.frames++;
    this.#running.see(timestamp);
    this.#watermark = Math.max(this.#watermark ?? timestamp, timestamp);
    this.#queueing.add(Math.max(0, arrival - timestamp), at);
  }

  /**
   * An output reached its sinks.
   *
   * @param at monotonic; the rest milliseconds since the operators got its frame, and since its capture
   */
  outputDone(at: number, processingMs: number, capturedMs: number): void {
    this.outputs++;
    this.#running.outputs++;
    const endToEnd = Math.max(0, capturedMs);
    this.#processing.add(processingMs, at);
    this.#endToEnd.add(endToEnd, at);
    const { measurements } = this.#period;
    if (measurements.endToEnd.length >= MEASUREMENTS) return;
    measurements.endToEnd.push(endToEnd / 1000);
    measurements.processing.push(processingMs / 1000);
  }

  sinkWrite(uri: string, ms: number): void {
    const list = this.#period.measurements.sinkWrites[uri] ??= [];
    if (list.length < MEASUREMENTS) list.push(ms / 1000);
  }

  took(step: Step, ms: number): void {
    this.#period.durations[step] += ms;
  }

  /** What follows counts in the rows of this batch. */
  begin(rows: Rows): void {
    this.#running = rows;
  }

  committed(rows: Rows): void {
    this.#period.rows.add(rows);
  }

  batchDone(batch: BatchRange, latest: number): void {
    const { behind } = this.#period;
    this.#period.batches++;
    this.#period.newest = { batch, latest };
    this.#period.startOffset ??= batch.start;
    const offsets = Math.max(0, latest - batch.end);
    behind.sum += offsets;
    behind.max = Math.max(behind.max, offsets);
    behind.min = Math.min(behind.min, offsets);
  }

  /** The newest batch since the last report, if there is one. */
  get newest(): Committed | undefined {
    return this.#period.newest;
  }

  /**
   * Reports everything since the last report.
   *
   * @param watermark capture time up to which the operators are done; by default the highest seen
   */
  report(
    { batch, latest }: Committed,
    stateOperators: readonly StateOperatorProgress[],
    watermark = this.#watermark,
  ): {
    progress: StreamingQueryProgress;
    measurements: Measurements;
  } {
    const period = this.#period;
    const monotonic = this.#clock.monotonic();
    this.#period = new Period(monotonic, this.#clock.now());
    const { start, startWall, durations, rows, batches, behind } = period;
    const observed = this.observed.take();
    const busyMs = durations.triggerExecution;
    const rate = (count: number, ms: number) =>
      ms > 0 && count > 0 ? Math.round(count / ms * 100_000) / 100 : undefined;
    const { read, outputs, first, last, sum } = rows;
    const rates = given({
      inputRowsPerSecond: rate(read, monotonic - start),
      processedRowsPerSecond: rate(read, busyMs),
    });
    const { id, runId, plan, log, topic, partition } = this.#options;
    const offset = (value: number) => ({ [topic]: { [String(partition)]: value } });
    // A watermark may be before all time, as with an endless lateness.
    const iso = (time: number) => new Date(frameTime(time)).toISOString();
    const since = monotonic - LATENCY_SPAN_MS;
    const queueing = this.#queueing.percentiles(since);
    const processing = this.#processing.percentiles(since);
    const endToEnd = this.#endToEnd.percentiles(since);
    const progress: StreamingQueryProgress = {
      id,
      runId,
      name: laneName(partition),
      timestamp: iso(startWall),
      batchId: batch.batchId,
      batchDuration: Math.round(busyMs),
      numInputRows: read,
      ...rates,
      durationMs: Object.fromEntries(
        Object.entries(durations).map(([step, ms]) => [step, Math.round(ms)]),
      ),
      eventTime: read > 0
        ? { avg: iso(sum / read), max: iso(last), min: iso(first), watermark: iso(watermark!) }
        : {},
      stateOperators,
      sources: [{
        description: `${log.url}/${topic}/${partition}`,
        startOffset: offset(period.startOffset ?? batch.start),
        endOffset: offset(batch.end),
        latestOffset: offset(Math.max(latest, batch.end)),
        numInputRows: read,
        ...rates,
        metrics: {
          avgOffsetsBehindLatest: String(behind.sum / batches),
          maxOffsetsBehindLatest: String(behind.max),
          minOffsetsBehindLatest: String(behind.min),
        },
      }],
      sink: {
        description: plan.sinks.map(({ uri }) => uri).join(", "),
        numOutputRows: outputs,
      },
      observedMetrics: observedJson(observed),
      ...(queueing && processing && endToEnd && {
        latencies: {
          processingLatencyMs: processing,
          sourceQueuingLatencyMs: queueing,
          e2eLatencyMs: endToEnd,
        },
      }),
      query: plan.name,
      topic,
      partition,
      ...cameraIdentity({ key: this.#key, headers: this.#headers, partition }),
      totals: this.totals,
    };
    return { progress, measurements: { ...period.measurements, observed } };
  }
}
