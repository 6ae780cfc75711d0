// Launches a camera: creates its publisher and target, and runs it.
import type { Clock } from "../runtime/base/clock.ts";
import type { LogProducer, TopicLog } from "../runtime/log/log.ts";
import { type CameraOptions, type CameraSummary, runCamera } from "./camera.ts";
import { CaptureTimes, type TimeFaults } from "./capture_times.ts";
import { FramePublisher, type Overflow, type PublisherStats } from "./publisher.ts";
import { type Lateness, Punctuality } from "./pacing.ts";
import type { SourceErrorCode } from "./source.ts";
import { type StreamFacts, StreamWatch } from "./stream_facts.ts";
import { logTarget } from "./published.ts";

/** What all cameras of a process share. */
export interface CameraHost {
  readonly log: TopicLog;
  readonly producer: LogProducer;
  readonly topic: string;
  /** Remembers which images of folders were published. */
  readonly kv?: Deno.Kv | undefined;
  readonly bufferFrames?: number | undefined;
  /** By default `drop-oldest` for live sources, `wait` for all others. */
  readonly overflow?: Overflow | undefined;
  /** By default 0, or 10 for `fps: "max"`, since full batches are cheaper. */
  readonly lingerMs?: number | undefined;
  readonly batchBytes?: number | undefined;
  readonly clock: Clock;
}

type LaunchOptions = Omit<
  CameraOptions,
  "publisher" | "target" | "clock" | "times" | "punctuality" | "stream"
>;

/** A camera's counts since its start, and facts about its stream. */
export interface CameraStats extends PublisherStats, Lateness, TimeFaults {
  /** How often the source failed and was reopened, by kind of failure. */
  readonly failures: Readonly<Partial<Record<SourceErrorCode, number>>>;
  readonly stream: StreamFacts;
}

export interface LaunchedCamera {
  readonly stats: CameraStats;
  /** Settles as `runCamera` does. */
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
