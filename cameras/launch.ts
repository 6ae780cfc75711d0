// Launches a camera: creates its publisher and target, and runs it.
import type { Clock } from "../runtime/base/clock.ts";
import type { LogProducer, TopicLog } from "../runtime/log/log.ts";
import { Camera, type CameraOptions } from "./camera.ts";
import { FramePublisher, type Overflow } from "./publisher.ts";
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

type LaunchOptions = Omit<CameraOptions, "publisher" | "target" | "clock">;

const BULK_LINGER_MS = 10;

export function launchCamera(host: CameraHost, options: LaunchOptions): Camera {
  const { log, producer, topic, kv, clock, overflow, bufferFrames, batchBytes } = host;
  const { number, source, signal, report, settings = {} } = options;
  const partition = number - 1;
  const publisher = new FramePublisher({
    log,
    producer,
    topic,
    partition,
    overflow: overflow ?? (source.kind === "live" ? "drop-oldest" : "wait"),
    bufferFrames,
    lingerMs: host.lingerMs ?? (settings.fps === "max" ? BULK_LINGER_MS : 0),
    batchBytes,
    clock,
    report,
  });
  const target = kv && logTarget({ log, topic, partition, kv, clock, signal });
  return new Camera({ ...options, publisher, clock, target });
}
