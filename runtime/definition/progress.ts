// What a streaming query reports. Spark's fields in Spark's order, so that a reader of Spark's
// progress reads ours; what follows `observedMetrics` is added: latencies, whose lane it is, totals.

/** Offsets by topic and partition, as Spark writes them: `{"VideoStreaming":{"0":17}}`, last + 1. */
export type OffsetJson = Readonly<Record<string, Readonly<Record<string, number>>>>;

/** Durations of the steps of a batch, milliseconds. */
export interface DurationMs {
  readonly latestOffset?: number;
  readonly getBatch?: number;
  readonly queryPlanning?: number;
  readonly walCommit?: number;
  readonly addBatch?: number;
  readonly commitOffsets?: number;
  readonly triggerExecution?: number;
}

/** Percentiles, milliseconds. */
export interface LatencyPercentiles {
  readonly P0: number;
  readonly P50: number;
  readonly P90: number;
  readonly P95: number;
  readonly P99: number;
}

/** Progress of a source within a batch. */
export interface SourceProgress {
  readonly description: string;
  readonly startOffset: OffsetJson;
  readonly endOffset: OffsetJson;
  readonly latestOffset: OffsetJson;
  readonly numInputRows: number;
  readonly inputRowsPerSecond?: number;
  readonly processedRowsPerSecond?: number;
  /** Counts as text, as in Spark. */
  readonly metrics: Readonly<Record<string, string>>;
}

/** Progress of the sinks within a batch. */
export interface SinkProgress {
  readonly description: string;
  readonly numOutputRows: number;
  readonly metrics?: Readonly<Record<string, string>>;
}

/** Progress of a stateful operator. */
export interface StateOperatorProgress {
  readonly operatorName: string;
  readonly numRowsTotal: number;
  readonly memoryUsedBytes: number;
  /** Frames of this run that came when their windows were closed. */
  readonly numRowsDroppedByWatermark?: number;
  /** `numRowsTooFarAhead`: frames whose capture time was too far ahead to be believed. */
  readonly customMetrics?: Readonly<Record<string, number>>;
}

/** One progress report of a streaming query. */
export interface StreamingQueryProgress {
  /** Survives restarts. */
  readonly id: string;
  /** One for each start. */
  readonly runId: string;
  /** `QUERY-PARTITION-n`. */
  readonly name: string;
  /** ISO 8601, start of the trigger. */
  readonly timestamp: string;
  readonly batchId: number;
  /** Milliseconds. */
  readonly batchDuration: number;
  readonly numInputRows: number;
  readonly inputRowsPerSecond?: number;
  readonly processedRowsPerSecond?: number;
  readonly durationMs: DurationMs;
  /** ISO 8601 capture times. */
  readonly eventTime: Readonly<Partial<Record<"avg" | "max" | "min" | "watermark", string>>>;
  readonly stateOperators: readonly StateOperatorProgress[];
  readonly sources: readonly SourceProgress[];
  readonly sink: SinkProgress;
  /** `repaired`: for each flaw of images how many frames had it and were repaired. */
  readonly observedMetrics: Readonly<Record<string, unknown>>;
  /** Of the frames of the last seconds. */
  readonly latencies?: {
    readonly processingLatencyMs: LatencyPercentiles;
    readonly sourceQueuingLatencyMs: LatencyPercentiles;
    readonly e2eLatencyMs: LatencyPercentiles;
  };
  /** Name of the query's definition, e.g. `greyscale`. */
  readonly query: string;
  readonly topic: string;
  readonly partition: number;
  /** The key of its frames, or else `CAMERA-n`. */
  readonly camera: string;
  /** What people call the camera, and where it is: as the newest frame says. */
  readonly cameraName?: string;
  readonly place?: string;
  /** Totals since this run began. */
  readonly totals: QueryTotals;
}

/** Counters of a streaming query since its run began. */
export interface QueryTotals {
  /** Frames read from the log. */
  readonly frames: number;
  /** Outputs handed to the sinks. */
  readonly outputs: number;
  /** Frames that the overload policy left out, or that the log lost before they were read. */
  readonly dropped: number;
  /** Frames that could not be processed. */
  readonly deadLettered: number;
  /** Sequence numbers that never came. */
  readonly gaps: number;
  /** Sequence numbers that came twice. */
  readonly duplicates: number;
  /** Sequence numbers that came late. */
  readonly orderViolations: number;
  /** Frames that came too late for their windows; they reached no window. */
  readonly late?: number;
  /** Frames whose capture time was too far ahead to be believed; they reached no window. */
  readonly ahead?: number;
  /** Frames whose image was damaged and whose picture was whole: repaired when they were decoded. */
  readonly repaired?: number;
}

/** Totals of a run in which nothing has happened. */
export const NO_TOTALS: QueryTotals = {
  frames: 0,
  outputs: 0,
  dropped: 0,
  deadLettered: 0,
  gaps: 0,
  duplicates: 0,
  orderViolations: 0,
};

/** Spark's status of a streaming query. */
export interface StreamingQueryStatus {
  readonly message: string;
  readonly isDataAvailable: boolean;
  readonly isTriggerActive: boolean;
}

/** Frames of a partition that are in the log and were not taken by the end of the batch. */
export function lagOf(source: SourceProgress, topic: string, partition: number): number {
  const at = (offsets: OffsetJson) => offsets[topic]?.[String(partition)] ?? 0;
  return Math.max(0, at(source.latestOffset) - at(source.endOffset));
}
