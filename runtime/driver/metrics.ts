// Prometheus metrics of the streaming queries, in base units. Labels are only topic, partition, camera,
// query, sink and reason.
import type { Counter, Gauge, Histogram } from "prom-client";
import type { Measurements } from "../engine/reporter.ts";
import type { Cells } from "../executor/protocol.ts";
import { cameraOfPartition } from "../definition/frame.ts";
import type { QueryTotals } from "../definition/progress.ts";
import { MetricSet } from "../base/metric_set.ts";
import type { LogStorage } from "../log/log.ts";
import { VERSION } from "../base/version.ts";
import type { LaneState } from "../lanes.ts";
import type { LagMeter } from "./lag.ts";
import type { StreamingQueryManager } from "./manager.ts";
import type { StreamingQuery } from "./streaming_query.ts";

/** Limits on camera names per partition, and on the characters of each. */
const MOST_NAMES = 8;
const LONGEST_NAME = 100;
const LABELS = ["topic", "partition", "camera", "query"] as const;
const SECONDS = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

const STATES: Readonly<Record<LaneState, number>> = {
  starting: 0,
  running: 1,
  restarting: 2,
  failed: 3,
  stopped: 4,
};

/** Totals of lanes, and their metrics. */
const TOTALS = [
  ["frames", "frames_consumed_total", "Frames read from the log"],
  ["outputs", "frames_processed_total", "Outputs handed to the sinks"],
  ["deadLettered", "frames_dead_lettered_total", "Frames that could not be processed"],
  ["repaired", "frames_repaired_total", "Frames with a damaged image whose picture was whole"],
  [
    "orderViolations",
    "order_violations_total",
    "Frames out of order, by the camera's sequence numbers",
  ],
  ["duplicates", "duplicates_total", "Repeated frames, by the camera's sequence numbers"],
  ["gaps", "gaps_total", "Missing frames, by the camera's sequence numbers"],
] as const satisfies readonly (readonly [keyof QueryTotals, string, string])[];

export class QueryMetrics {
  readonly #set = new MetricSet(LABELS);
  readonly restarts = this.#set.counter("query_restarts_total", "Restarts after a failure");
  readonly rebalances = this.#set.counter(
    "rebalances_total",
    "Assignments of partitions received from the group",
    ["query"],
  );
  readonly #totals = TOTALS.map(([name, metric, help]) =>
    [name, this.#set.counter(metric, help)] as const
  );
  readonly #dropped = this.#set.counter(
    "frames_dropped_total",
    "Frames that reached no operator or no window, by reason: overload, lost, no-keyframe, late, ahead",
    [...LABELS, "reason"],
  );
  readonly #endToEnd = this.#set.histogram(
    "end_to_end_latency_seconds",
    "Time from capture to the sink",
    SECONDS,
  );
  readonly #processing = this.#set.histogram(
    "window_processing_seconds",
    "Time of a frame or window in the operators",
    SECONDS,
  );
  readonly #sinkWrites = this.#set.histogram(
    "sink_write_seconds",
    "Time of one write to a sink",
    SECONDS,
    [...LABELS, "sink"],
  );
  readonly #lag = this.#set.gauge("source_lag_frames", "Frames in the log that were not read yet");
  readonly #state = this.#set.gauge(
    "query_state",
    "0 starting, 1 running, 2 starting again after a failure, 3 failed, 4 stopped",
  );
  readonly #checkpointAge = this.#set.gauge(
    "checkpoint_age_seconds",
    "Time since the last report of a commit",
  );
  readonly #lastFrame = this.#set.gauge(
    "camera_last_frame_timestamp_seconds",
    "Capture time of the newest frame",
  );
  readonly #problems = this.#set.counter(
    "log_problems_total",
    "Problems that kept a query from reading the log, by reason: the log's error code, or OPEN_TRANSACTION",
    [...LABELS, "reason"],
  );
  readonly #observed = new Map<string, Counter | Gauge>();
  readonly #diskFree = this.#set.gauge(
    "log_disk_free_bytes",
    "Free space on the disk of the embedded log",
    [],
  );
  readonly #wal = this.#set.gauge(
    "log_wal_bytes",
    "Write-ahead log of the embedded log's database: long readers let it grow",
    [],
  );
  /** Totals at the last report, by lane. */
  readonly #last = new WeakMap<Cells, Record<string, number>>();

  readonly #streams: StreamingQueryManager;
  readonly #lagMeter: LagMeter;
  /** Camera labels, by partition. */
  readonly #names = new Map<string, Set<string>>();

  constructor(streams: StreamingQueryManager, lag: LagMeter) {
    this.#streams = streams;
    this.#lagMeter = lag;
    this.#set.gauge("build_info", "Version of Framelane", ["version"])
      .set({ version: VERSION }, 1);
  }

  /** The camera by its display name; the partition identifies it. */
  labels(query: StreamingQuery): Record<(typeof LABELS)[number], string> {
    const { cameraName, camera = cameraOfPartition(query.partition) } = query.lastProgress ?? {};
    return {
      topic: query.topic,
      partition: String(query.partition),
      camera: this.#nameOf(query, cameraName ?? camera),
      query: query.query,
    };
  }

  /** Counts what prevents a query from reading. */
  problem(query: StreamingQuery, reason: string): void {
    this.#problems.inc({ ...this.labels(query), reason });
  }

  /** A camera may change its name with each frame: only some names become labels. */
  #nameOf({ topic, partition }: StreamingQuery, name: string): string {
    const place = `${topic}/${partition}`;
    let names = this.#names.get(place);
    if (names === undefined) this.#names.set(place, names = new Set());
    if (names.size < MOST_NAMES) names.add(name.slice(0, LONGEST_NAME));
    const shown = name.slice(0, LONGEST_NAME);
    return names.has(shown) ? shown : cameraOfPartition(partition);
  }

  observe(query: StreamingQuery, measurements: Measurements): void {
    const labels = this.labels(query);
    const addAll = (histogram: Histogram, values: readonly number[], more = {}) => {
      const series = histogram.labels({ ...labels, ...more });
      for (const value of values) series.observe(value);
    };
    addAll(this.#endToEnd, measurements.endToEnd);
    addAll(this.#processing, measurements.processing);
    for (const [sink, list] of Object.entries(measurements.sinkWrites)) {
      addAll(this.#sinkWrites, list, { sink });
    }
    for (const { name, metric, value, counts } of measurements.observed ?? []) {
      this.#observe(`observed_${name}_${metric}`, labels, value, counts);
    }
    const { totals, cells } = query;
    const { dropped, lost = 0, noKeyframe = 0, late = 0, ahead = 0 } = totals;
    const overload = dropped - lost - noKeyframe;
    const last = this.#last.get(cells) ?? {};
    const add = (counter: Counter, name: string, total: number, more = {}) => {
      counter.inc({ ...labels, ...more }, Math.max(0, total - (last[name] ?? 0)));
      last[name] = total;
    };
    for (const [name, counter] of this.#totals) add(counter, name, totals[name] ?? 0);
    const reasons = { overload, lost, "no-keyframe": noKeyframe, late, ahead };
    for (const [reason, count] of Object.entries(reasons)) {
      if (reason === "overload" || count > 0) add(this.#dropped, reason, count, { reason });
    }
    this.#last.set(cells, last);
  }

  /** A custom metric: a counter where values add up, else a gauge. */
  #observe(name: string, labels: Record<string, string>, value: number, counts: boolean): void {
    const help = "A metric that a query observes";
    const full = counts ? `${name}_total` : name;
    let metric = this.#observed.get(full);
    if (metric === undefined) {
      metric = counts ? this.#set.counter(full, help) : this.#set.gauge(full, help);
      this.#observed.set(full, metric);
    }
    if (counts) metric.inc(labels, Math.max(0, value));
    else if ("set" in metric) metric.set(labels, value);
  }

  async text(storage?: LogStorage): Promise<string> {
    if (storage !== undefined) this.#wal.set(storage.walBytes);
    if (storage?.diskFreeBytes !== undefined) this.#diskFree.set(storage.diskFreeBytes);
    const queries = this.#streams.all.filter(({ moved }) => !moved);
    await this.#lagMeter.measure(queries);
    // Gauges of queries that are gone, and of former names, disappear.
    for (const gauge of [this.#lag, this.#state, this.#checkpointAge, this.#lastFrame]) {
      gauge.reset();
    }
    for (const query of queries) {
      const labels = this.labels(query);
      this.#lag.set(labels, this.#lagMeter.of(query));
      // A counter that only appears with its first event hides that one from `increase()`.
      this.restarts.inc(labels, 0);
      this.#state.set(labels, STATES[query.state]);
      if (query.lastCommit !== undefined) {
        this.#checkpointAge.set(labels, this.#lagMeter.age(query) / 1000);
      }
      const newest = query.lastProgress?.eventTime.max;
      if (newest !== undefined) this.#lastFrame.set(labels, Date.parse(newest) / 1000);
    }
    return await this.#set.registry.metrics();
  }
}
