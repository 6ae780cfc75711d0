/**
 * Prometheus metrics of the streaming queries. Base units; labels only topic, partition, camera,
 * query, sink and reason.
 *
 * @module
 */
import { Counter, Gauge, Histogram, Registry } from "prom-client";
import type { Measurements } from "../engine/reporter.ts";
import { cameraOfPartition } from "../frame.ts";
import { lagOf } from "../progress.ts";
import { VERSION } from "../version.ts";
import type { StreamingQuery } from "./streaming_query.ts";

const LABELS = ["topic", "partition", "camera", "query"] as const;
const SECONDS = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

/** All metrics of one driver. */
export class QueryMetrics {
  readonly registry = new Registry();
  readonly restarts = this.#counter("query_restarts_total", "Starts after a failure");
  readonly rebalances = new Counter({
    name: "framelane_rebalances_total",
    help: "Assignments of partitions received from the group",
    labelNames: ["query"],
    registers: [this.registry],
  });
  readonly #consumed = this.#counter("frames_consumed_total", "Frames read from the log");
  readonly #processed = this.#counter("frames_processed_total", "Outputs handed to the sinks");
  readonly #dropped = this.#counter(
    "frames_dropped_total",
    "Frames left out by the overload policy or lost to retention",
  );
  readonly #deadLettered = this.#counter(
    "frames_dead_lettered_total",
    "Frames that could not be processed",
  );
  readonly #violations = this.#counter(
    "order_violations_total",
    "Sequence numbers that came late, as the camera counts",
  );
  readonly #gaps = this.#counter(
    "gaps_total",
    "Sequence numbers that never came, as the camera counts",
  );
  readonly #endToEnd = this.#histogram("end_to_end_latency_seconds", "Capture to sink");
  readonly #processing = this.#histogram(
    "window_processing_seconds",
    "A frame or window through the operators",
  );
  readonly #sinkWrites = new Histogram({
    name: "framelane_sink_write_seconds",
    help: "One write of a sink",
    labelNames: [...LABELS, "sink"],
    buckets: SECONDS,
    registers: [this.registry],
  });
  readonly #lag = this.#gauge("source_lag_frames", "Frames in the log that were not read yet");
  readonly #checkpointAge = this.#gauge(
    "checkpoint_age_seconds",
    "Time since the last report of a commit",
  );
  readonly #lastFrame = this.#gauge(
    "camera_last_frame_timestamp_seconds",
    "Capture time of the newest frame",
  );
  readonly #last = new Map<StreamingQuery, Record<string, number>>();

  constructor() {
    new Gauge({
      name: "framelane_build_info",
      help: "Version of Framelane",
      labelNames: ["version"],
      registers: [this.registry],
    }).set({ version: VERSION }, 1);
  }

  labels(query: StreamingQuery): Record<(typeof LABELS)[number], string> {
    return {
      topic: query.topic,
      partition: String(query.partition),
      camera: cameraOfPartition(query.partition),
      query: query.query,
    };
  }

  /** Takes a progress report's measurements. */
  observe(query: StreamingQuery, measurements: Measurements): void {
    const labels = this.labels(query);
    for (const seconds of measurements.endToEnd) this.#endToEnd.observe(labels, seconds);
    for (const seconds of measurements.processing) this.#processing.observe(labels, seconds);
    for (const [sink, list] of Object.entries(measurements.sinkWrites)) {
      for (const seconds of list) this.#sinkWrites.observe({ ...labels, sink }, seconds);
    }
    const { totals } = query;
    const last = this.#last.get(query) ?? {};
    const add = (counter: Counter, name: keyof typeof totals) => {
      const more = totals[name] - (last[name] ?? 0);
      counter.inc(labels, Math.max(0, more));
      last[name] = totals[name];
    };
    add(this.#consumed, "frames");
    add(this.#processed, "outputs");
    add(this.#dropped, "dropped");
    add(this.#deadLettered, "deadLettered");
    add(this.#violations, "orderViolations");
    add(this.#gaps, "gaps");
    this.#last.set(query, last);
  }

  /** A query is not here any more: what was counted stays, what changes with time goes. */
  forget(query: StreamingQuery): void {
    if (!this.#last.delete(query)) return;
    const labels = this.labels(query);
    for (const gauge of [this.#lag, this.#checkpointAge, this.#lastFrame]) gauge.remove(labels);
  }

  /** The page of `/metrics`. */
  async text(now: number): Promise<string> {
    for (const query of this.#last.keys()) {
      const labels = this.labels(query);
      const source = query.lastProgress?.sources[0];
      if (source !== undefined) this.#lag.set(labels, lagOf(source, query.topic, query.partition));
      if (query.lastCommit !== undefined) {
        this.#checkpointAge.set(labels, (now - query.lastCommit) / 1000);
      }
      const newest = query.lastProgress?.eventTime.max;
      if (newest !== undefined) this.#lastFrame.set(labels, Date.parse(newest) / 1000);
    }
    return await this.registry.metrics();
  }

  #counter(name: string, help: string): Counter {
    return new Counter({
      name: `framelane_${name}`,
      help,
      labelNames: [...LABELS],
      registers: [this.registry],
    });
  }

  #gauge(name: string, help: string): Gauge {
    return new Gauge({
      name: `framelane_${name}`,
      help,
      labelNames: [...LABELS],
      registers: [this.registry],
    });
  }

  #histogram(name: string, help: string): Histogram {
    return new Histogram({
      name: `framelane_${name}`,
      help,
      labelNames: [...LABELS],
      buckets: SECONDS,
      registers: [this.registry],
    });
  }
}
