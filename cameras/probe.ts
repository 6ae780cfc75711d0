// Measures a camera for a while: its stream, its clock and its login.
import type { Clock } from "../runtime/base/clock.ts";
import { given } from "../runtime/base/options.ts";
import { CaptureTimes } from "./capture_times.ts";
import type { CameraSettings } from "./settings.ts";
import type { CameraSource, SourceImage, VideoPacket } from "./source.ts";
import { DEFAULT_OPEN_TIMEOUT_MS, untilLeft } from "./watchdog.ts";

export interface ProbeReport {
  readonly frames: number;
  readonly seconds: number;
  /** `h264`, `mjpeg`, …; for pictures their content type. */
  readonly codec?: string;
  readonly width?: number;
  readonly height?: number;
  readonly framesPerSecond?: number;
  readonly bitsPerSecond?: number;
  /** Median of the seconds between keyframes; absent for fewer than two. */
  readonly keyframeSeconds?: number;
  /** Differences between capture times, milliseconds. */
  readonly steps?: { readonly least: number; readonly median: number; readonly most: number };
  /** How many jumps in the stream's timestamps were corrected. */
  readonly timeJumps: number;
  /** The logins that the camera offers; absent if it needs none. */
  readonly login?: string;
  /** Deviation of the stream's clock from this machine's, in parts per million. */
  readonly driftPpm?: number;
  readonly reports: readonly string[];
}

/** Frames that come closer to the first one were kept by the server. */
const AT_ONCE_MS = 100;

interface ProbeOptions {
  readonly settings?: CameraSettings;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly forMs: number;
}

/**
 * Opens a source and measures its frames for a while, or until it ends.
 *
 * @throws {SourceError} if it cannot be opened.
 */
export async function probeSource(
  source: CameraSource,
  { settings = {}, clock, signal, forMs }: ProbeOptions,
): Promise<ProbeReport> {
  const over = new AbortController();
  const stop = AbortSignal.any([signal, over.signal]);
  const reports: string[] = [];
  const report = (message: string) => void reports.push(message);
  const times = new CaptureTimes(clock, report);
  // A recording is read at full speed, so its own times are measured.
  const live = source.kind === "live";
  const timestamps: number[] = [];
  const arrivals: number[] = [];
  const keyframes: number[] = [];
  let packet: VideoPacket | undefined;
  let login: string | undefined;
  let bytes = 0;
  let last: SourceImage | undefined;
  const timeout = settings.openTimeoutMs ?? DEFAULT_OPEN_TIMEOUT_MS;
  let timer = setTimeout(() => over.abort(), timeout + forMs);
  try {
    const images = source.open({
      camera: "CAMERA-1",
      clock,
      times,
      signal: stop,
      report,
      onLogin: (offered) => void (login = offered),
      onPacket(next) {
        packet = next;
        bytes += next.bytes;
        if (next.keyframe) keyframes.push(live ? clock.monotonic() : next.streamMs ?? 0);
      },
    });
    for await (last of untilLeft(images, stop)) {
      if (timestamps.length === 0) {
        clearTimeout(timer);
        timer = setTimeout(() => over.abort(), forMs);
      }
      timestamps.push(last.timestamp);
      arrivals.push(clock.monotonic());
      if (packet === undefined) bytes += last.value.length;
    }
  } finally {
    clearTimeout(timer);
  }
  const measured = live ? arrivals : timestamps;
  // What a server kept comes at once: it shows neither the rate nor how fast the clock runs.
  const first = live ? Math.max(0, arrivals.findIndex((at) => at - arrivals[0]! > AT_ONCE_MS)) : 0;
  const secondsSince = (index: number) => ((measured.at(-1) ?? 0) - (measured[index] ?? 0)) / 1000;
  const span = secondsSince(first);
  const isLong = span >= 0.1;
  const framesPerSecond = (timestamps.length - 1 - first) / span;
  const steps = stepsOf(timestamps);
  const between = stepsOf(keyframes);
  return {
    frames: timestamps.length,
    seconds: Number(secondsSince(0).toFixed(1)),
    timeJumps: times.timeJumps,
    reports,
    ...given({
      codec: packet?.codec ?? last?.contentType,
      width: last?.width,
      height: last?.height,
      framesPerSecond: isLong ? Number(framesPerSecond.toFixed(1)) : undefined,
      bitsPerSecond: isLong
        ? Math.round(bytes * 8 / timestamps.length * framesPerSecond)
        : undefined,
      driftPpm: isLong && live
        ? Math.round(((timestamps.at(-1)! - timestamps[first]!) / 1000 / span - 1) * 1e6)
        : undefined,
      keyframeSeconds: between.length > 0 ? Number((median(between) / 1000).toFixed(2)) : undefined,
      steps: steps.length > 0
        ? { least: steps[0]!, median: median(steps), most: steps.at(-1)! }
        : undefined,
      login,
    }),
  };
}

/** Differences between neighbours, least first. */
function stepsOf(measured: readonly number[]): number[] {
  return measured.slice(1).map((moment, i) => Math.round(moment - measured[i]!))
    .sort((a, b) => a - b);
}

function median(sorted: readonly number[]): number {
  return sorted[Math.floor(sorted.length / 2)]!;
}
