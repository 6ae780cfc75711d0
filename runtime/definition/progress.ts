// Progress reports of streaming queries: Spark's fields in Spark's order, so that a reader of
// Spark's progress works. Fields after `observedMetrics` are additions.

/** Offsets by topic and partition as in Spark: `{"VideoStreaming":{"0":17}}`, exclusive. */
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
  /** Counts as strings, as in Spark. */
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
  /** Frames of this run that arrived after their windows had closed. */
  readonly numRowsDroppedByWatermark?: number;
  /** `numRowsTooFarAhead`: frames whose capture time was implausibly far ahead. */
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
  /** What the query's steps observe, by their names. */
  readonly observedMetrics: Readonly<Record<string, unknown>>;
  /** Latencies of the last seconds. */
  readonly latencies?: {
    readonly processingLatencyMs: LatencyPercentiles;
    readonly sourceQueuingLatencyMs: LatencyPercentiles;
    readonly e2eLatencyMs: LatencyPercentiles;
  };
  /** Name of the query's definition, e.g. `greyscale`. */
  readonly query: string;
  readonly topic: string;
  readonly partition: number;
  /** The key of its frames, otherwise `CAMERA-n`. */
  readonly camera: string;
  /** The camera's display name and location, from the newest frame. */
  readonly cameraName?: string;
  readonly place?: string;
  /** Totals since the start of this run. */
  readonly totals: QueryTotals;
}

/** Counters of a streaming query since the start of its run. */
export interface QueryTotals {
  /** Frames read from the log. */
  readonly frames: number;
  /** Outputs handed to the sinks. */
  readonly outputs: number;
  /** Frames dropped by the overload policy, lost by the log before they were read, or without a keyframe. */
  readonly dropped: number;
  /** Those of them that the log lost. */
  readonly lost?: number;
  /** Those of them that were in a video stream without a keyframe. */
  readonly noKeyframe?: number;
  /** Frames that could not be processed. */
  readonly deadLettered: number;
  /** Missing sequence numbers. */
  readonly gaps: number;
  /** Repeated sequence numbers. */
  readonly duplicates: number;
  /** Sequence numbers out of order. */
  readonly orderViolations: number;
  /** Frames too late for any window. */
  readonly late?: number;
  /** Frames whose capture time was implausibly far ahead; they joined no window. */
  readonly ahead?: number;
  /** Frames whose damaged image was repaired while decoding. */
  readonly repaired?: number;
}

/** Totals of a new run. */
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

/** The number of frames in the log that were not processed by the end of the batch. */
export function lagOf(source: SourceProgress, topic: string, partition: number): number {
  const at = (offsets: OffsetJson) => offsets[topic]?.[String(partition)] ?? 0;
  return Math.max(0, at(source.latestOffset) - at(source.endOffset));
}
