// Texts and JSON lines of the camera commands.
import { given } from "../runtime/base/options.ts";
import type { CameraStats } from "../cameras/camera.ts";
import type { CameraSettings } from "../cameras/settings.ts";
import { counted } from "./output.ts";

/** Display name of a camera: `CAMERA-3 (Front door)`. */
export function cameraTitle(number: number, { name }: CameraSettings = {}): string {
  return name === undefined ? `CAMERA-${number}` : `CAMERA-${number} (${name})`;
}

/** A camera's summary as text, or as a line of JSON. */
export function summaryOf(
  number: number,
  settings: CameraSettings,
  stats: CameraStats,
  seconds: number,
  json: boolean,
): string {
  const { contentType, keyframeSeconds } = stats.stream;
  const isVideo = contentType?.startsWith("video/") === true;
  if (json) {
    return JSON.stringify({
      type: "summary",
      ...counts(number, settings, stats, seconds),
      ...(isVideo ? stats.stream : {}),
      ...lateness(stats),
    });
  }
  const frames = counted(stats.published, "frame");
  const video = isVideo
    ? ` of ${contentType.slice(6).toUpperCase().replace("H26", "H.26")}${
      keyframeSeconds === undefined ? "" : `, a keyframe every ${keyframeSeconds} s`
    }`
    : "";
  const behind = stats.late === 0
    ? ""
    : `, ${stats.late} of them late: the recording fell ${
      (stats.behindMs / 1000).toFixed(1)
    } s behind its timestamps`;
  return `${
    cameraTitle(number, settings)
  }: ${frames}${video} published, ${stats.dropped} dropped, ${megabytes(stats.bytes)} in ${
    seconds.toFixed(1)
  } s${behind}`;
}

function counts(
  number: number,
  { name, place }: CameraSettings,
  { published, dropped, bytes }: CameraStats,
  seconds: number,
) {
  return {
    camera: `CAMERA-${number}`,
    partition: number - 1,
    ...given({ name, place }),
    published,
    dropped,
    bytes,
    seconds,
  };
}

/** Timing faults of a camera; empty if there are none. */
function lateness({ late, behindMs, clockSteps, timeJumps }: CameraStats) {
  return {
    ...(late === 0 ? {} : { late, behindSeconds: Number((behindMs / 1000).toFixed(3)) }),
    ...(clockSteps === 0 ? {} : { clockSteps }),
    ...(timeJumps === 0 ? {} : { timeJumps }),
  };
}

/** A camera's totals since the start, and its current rate. */
export class Meter {
  readonly #start: number;
  #end: number | undefined;
  #at: number;
  #published = 0;
  #rate = 0;

  /** @param now monotonic milliseconds */
  constructor(now: number) {
    this.#start = this.#at = now;
  }

  /** The camera has ended: its seconds stand still. */
  end(now: number): void {
    this.#end = now;
  }

  /** Seconds from the start to now or to the end, to the millisecond. */
  seconds(now: number): number {
    return Math.round((this.#end ?? now) - this.#start) / 1000;
  }

  progress(number: number, settings: CameraSettings, stats: CameraStats, now: number) {
    this.#measure(stats.published, now);
    return {
      ...counts(number, settings, stats, this.seconds(now)),
      buffered: stats.buffered,
      framesPerSecond: Number(this.#rate.toFixed(1)),
      ...stats.stream,
      ...lateness(stats),
    };
  }

  /** The note at the right end of a progress bar. */
  note({ published, dropped, bytes, late }: CameraStats, now: number): string {
    if (now - this.#at >= 1_000 || this.#rate === 0) this.#measure(published, now);
    const lost = (dropped > 0 ? `, ${dropped} dropped` : "") + (late > 0 ? `, ${late} late` : "");
    return `${published} frames, ${this.#rate.toFixed(1)}/s, ${megabytes(bytes)}${lost}`;
  }

  #measure(published: number, now: number): void {
    const seconds = (now - this.#at) / 1000;
    if (seconds <= 0) return;
    this.#rate = (published - this.#published) / seconds;
    this.#at = now;
    this.#published = published;
  }
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}
