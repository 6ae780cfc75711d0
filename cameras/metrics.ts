// Prometheus metrics of the cameras of a process.
import { hostOf, isLoopback } from "../runtime/base/host.ts";
import { MetricSet } from "../runtime/base/metric_set.ts";
import type { CameraStats } from "./camera.ts";

/** A camera's counts since its start, or since it was changed. */
export interface MeasuredCamera {
  readonly topic: string;
  /** n of `CAMERA-n`. */
  readonly number: number;
  readonly name?: string | undefined;
  readonly stats: CameraStats;
}

const LABELS = ["topic", "partition", "camera"] as const;

const COUNTERS: readonly (readonly [string, string, (stats: CameraStats) => number])[] = [
  ["frames_published_total", "Frames acknowledged by the log", (of) => of.published],
  ["published_bytes_total", "Bytes of the published images", (of) => of.bytes],
  ["producer_batches_total", "Batches acknowledged by the log", (of) => of.batches],
  [
    "producer_retries_total",
    "Attempts that the log rejected or did not answer",
    (of) => of.retries,
  ],
  ["camera_late_frames_total", "Frames of recordings published late", (of) => of.late],
  [
    "camera_behind_seconds_total",
    "Delay of recordings behind their own timestamps",
    (of) => of.behindMs / 1000,
  ],
  [
    "camera_clock_steps_total",
    "Steps of the machine's clock that capture times followed",
    (of) => of.clockSteps,
  ],
  [
    "camera_time_jumps_total",
    "Jumps in a stream's timestamps that were corrected",
    (of) => of.timeJumps,
  ],
];

export class CameraMetrics {
  readonly #set = new MetricSet(LABELS);
  readonly #cameras: () => readonly MeasuredCamera[];
  readonly #counters = COUNTERS.map(([name, help, value]) => ({
    counter: this.#set.counter(name, help),
    value,
  }));
  readonly #dropped = this.#set.counter("frames_dropped_total", "Frames dropped before the log", [
    ...LABELS,
    "reason",
  ]);
  readonly #failures = this.#set.counter(
    "camera_failures_total",
    "Failures of the source, by kind: UNREACHABLE, UNAUTHORIZED, ENDED, …",
    [...LABELS, "reason"],
  );
  readonly #buffered = this.#set.gauge("producer_buffered_frames", "Frames waiting for the log");
  readonly #last = this.#set.gauge(
    "camera_last_frame_timestamp_seconds",
    "Capture time of the newest published frame",
  );

  constructor(cameras: () => readonly MeasuredCamera[]) {
    this.#cameras = cameras;
  }

  async text(): Promise<string> {
    this.#set.registry.resetMetrics();
    for (const { topic, number, name, stats } of this.#cameras()) {
      const labels = {
        topic,
        partition: String(number - 1),
        camera: name ?? `CAMERA-${number}`,
      };
      for (const { counter, value } of this.#counters) counter.inc(labels, value(stats));
      for (const [reason, count] of Object.entries(stats.droppedBy)) {
        this.#dropped.inc({ ...labels, reason }, count);
      }
      for (const [reason, count] of Object.entries(stats.failures)) {
        this.#failures.inc({ ...labels, reason }, count);
      }
      this.#buffered.set(labels, stats.buffered);
      if (stats.lastTimestamp !== undefined) this.#last.set(labels, stats.lastTimestamp / 1000);
    }
    return await this.#set.registry.metrics();
  }

  /** Serves `/metrics` and `/healthz` on this machine only, until the signal aborts. */
  serve(port: number, signal: AbortSignal): Deno.HttpServer<Deno.NetAddr> {
    return Deno.serve({ hostname: "127.0.0.1", port, signal, onListen() {} }, async (request) => {
      if (!isLoopback(hostOf(request)?.name ?? "")) {
        return new Response("Unknown host: expected 127.0.0.1 or localhost\n", { status: 403 });
      }
      const { pathname } = new URL(request.url);
      if (pathname === "/healthz") return new Response("ok\n");
      if (pathname !== "/metrics") return new Response("Not found\n", { status: 404 });
      const headers = { "content-type": this.#set.registry.contentType };
      return new Response(await this.text(), { headers });
    });
  }
}
