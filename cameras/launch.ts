// Launches a camera: creates its publisher and target, and runs it.
import { Camera, type CameraOptions } from "./camera.ts";
import { FramePublisher, type PublisherOptions } from "./publisher.ts";
import { logTarget } from "./published.ts";

export interface CameraHost
  extends Omit<PublisherOptions, "partition" | "report" | "overflow" | "lingerMs"> {
  /** Remembers which images of folders were published. */
  readonly kv?: Deno.Kv | undefined;
  /** By default `drop-oldest` for live sources, `wait` for all others. */
  readonly overflow?: PublisherOptions["overflow"] | undefined;
  /** By default 0, or 10 for `fps: "max"`, since full batches are cheaper. */
  readonly lingerMs?: number | undefined;
}

type LaunchOptions = Omit<CameraOptions, "publisher" | "target" | "clock">;

const BULK_LINGER_MS = 10;

export function launchCamera(host: CameraHost, options: LaunchOptions): Camera {
  const { kv, clock } = host;
  const { number, source, signal, report, settings = {} } = options;
  const partition = number - 1;
  const publisher = new FramePublisher({
    ...host,
    partition,
    overflow: host.overflow ?? (source.kind === "live" ? "drop-oldest" : "wait"),
    lingerMs: host.lingerMs ?? (settings.fps === "max" ? BULK_LINGER_MS : 0),
    report,
  });
  const target = kv && logTarget({ ...host, partition, kv, signal });
  return new Camera({ ...options, publisher, clock, target });
}
