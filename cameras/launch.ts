// Creates a camera: its publisher, its place in the log, its run.
import type { Clock } from "../runtime/base/clock.ts";
import type { LogProducer, TopicLog } from "../runtime/log/log.ts";
import { type CameraOptions, type CameraSummary, runCamera } from "./camera.ts";
import { CaptureTimes, type TimeFaults } from "./capture_times.ts";
import { FramePublisher, type Overflow, type PublisherStats } from "./publisher.ts";
import { type Lateness, Punctuality } from "./pacing.ts";
import type { SourceErrorCode } from "./source.ts";
import { type StreamFacts, StreamWatch } from "./stream_facts.ts";
import { logTarget } from "./published.ts";

/** Shared by the cameras of a process. */
export interface CameraHost {
  readonly log: TopicLog;
  readonly producer: LogProducer;
  readonly topic: string;
  /** Record of what was published of folders. */
  readonly kv?: Deno.Kv | undefined;
  readonly bufferFrames?: number | undefined;
  /** Absent: `drop-oldest` for live sources, `wait` for all others. */
  readonly overflow?: Overflow | undefined;
  /** Absent: 0, or 10 for a camera that waits for nothing: full batches are cheaper. */
  readonly lingerMs?: number | undefined;
  readonly batchBytes?: number | undefined;
  readonly clock: Clock;
}

type LaunchOptions = Omit<
  CameraOptions,
  "publisher" | "target" | "clock" | "times" | "punctuality" | "stream"
>;

/** Counts of a camera since its start, and what its stream is like. */
export interface CameraStats extends PublisherStats, Lateness, TimeFaults {
  /** How often the source failed and was opened again, by the kind of failure. */
  readonly failures: Readonly<Partial<Record<SourceErrorCode, number>>>;
  readonly stream: StreamFacts;
}

export interface LaunchedCamera {
  readonly stats: CameraStats;
  /** As `runCamera`. */
  readonly ended: Promise<CameraSummary>;
}

const BULK_LINGER_MS = 10;

export function launchCamera(host: CameraHost, options: LaunchOptions): LaunchedCamera {
  const { log, producer, topic, kv, clock, overflow, bufferFrames, batchBytes } = host;
  const { number, source, signal, report, settings = {}, onFailure } = options;
  const { fps, timeJumpMs } = settings;
  const partition = number - 1;
  const publisher = new FramePublisher({
    log,
    producer,
    topic,
    partition,
    overflow: overflow ?? (source.kind === "live" ? "drop-oldest" : "wait"),
    bufferFrames,
    lingerMs: host.lingerMs ?? (fps === "max" ? BULK_LINGER_MS : 0),
    batchBytes,
    clock,
    report,
  });
  const target = kv && logTarget({ log, topic, partition, kv, clock, signal });
  const punctuality = new Punctuality();
  const failures: Partial<Record<SourceErrorCode, number>> = {};
  const times = new CaptureTimes(clock, report, timeJumpMs);
  const stream = new StreamWatch();
  const ended = runCamera({
    ...options,
    publisher,
    punctuality,
    times,
    stream,
    clock,
    target,
    onFailure(error) {
      if (error !== undefined) failures[error.code] = (failures[error.code] ?? 0) + 1;
      onFailure?.(error);
    },
  });
  return {
    get stats() {
      const { late, behindMs } = punctuality;
      const { clockSteps, timeJumps } = times;
      return {
        ...publisher.stats,
        late,
        behindMs,
        clockSteps,
        timeJumps,
        stream: stream.facts,
        failures: { ...failures },
      };
    },
    ended,
  };
}
