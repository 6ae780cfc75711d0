// A camera that a command runs, as text, JSON lines and metrics.
import { given } from "../runtime/base/options.ts";
import { Camera, type CameraHost, type CameraOptions } from "../cameras/camera.ts";
import type { MeasuredCamera } from "../cameras/metrics.ts";
import type { CameraSettings } from "../cameras/settings.ts";
import { counted } from "./output.ts";

/** Display name of a camera: `CAMERA-3 (Front door)`. */
export function cameraTitle(number: number, { name }: CameraSettings = {}): string {
  return name === undefined ? `CAMERA-${number}` : `CAMERA-${number} (${name})`;
}

/** A camera that is started, with its totals since then and its current rate. */
export class RunningCamera {
  readonly camera: Pick<Camera, "stats" | "status" | "ended">;
  readonly #host: CameraHost;
  readonly #number: number;
  readonly #settings: CameraSettings;
  readonly #start: number;
  /** Its seconds stand still from then on. */
  #end: number | undefined;
  #at: number;
  #published = 0;
  #rate = 0;

  /** @param camera made of the others by default */
  constructor(
    host: CameraHost,
    options: CameraOptions,
    camera: RunningCamera["camera"] = new Camera(host, options),
  ) {
    const { number, settings = {} } = options;
    this.camera = camera;
    this.#host = host;
    this.#number = number;
    this.#settings = settings;
    this.#start = this.#at = host.clock.monotonic();
    const end = () => void (this.#end = host.clock.monotonic());
    camera.ended.then(end, end);
  }

  get title(): string {
    return cameraTitle(this.#number, this.#settings);
  }

  get measured(): MeasuredCamera {
    const { name } = this.#settings;
    return { topic: this.#host.topic, number: this.#number, name, stats: this.camera.stats };
  }

  /** Its totals as text, or as a line of JSON. */
  summary(json: boolean): string {
    const { stats } = this.camera;
    const { contentType, keyframeSeconds } = stats.stream;
    const isVideo = contentType?.startsWith("video/") === true;
    if (json) {
      const stream = isVideo ? stats.stream : {};
      return JSON.stringify({ type: "summary", ...this.#counts, ...stream, ...this.#lateness });
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
    const amount = `${frames}${video} published, ${stats.dropped} dropped, ${
      megabytes(stats.bytes)
    }`;
    return `${this.title}: ${amount} in ${this.#seconds.toFixed(1)} s${behind}`;
  }

  /** Its state as a line of JSON. */
  progress(): string {
    this.#measure();
    const { stats: { buffered, stream }, status: { state, restarts, error } } = this.camera;
    const progress = {
      ...this.#counts,
      buffered,
      framesPerSecond: Number(this.#rate.toFixed(1)),
      ...stream,
      ...this.#lateness,
      state,
      restarts,
      ...given({ error }),
    };
    return JSON.stringify({ type: "progress", progress });
  }

  /** The note at the right end of a progress bar. */
  note(): string {
    const { published, dropped, bytes, late } = this.camera.stats;
    if (this.#host.clock.monotonic() - this.#at >= 1_000 || this.#rate === 0) this.#measure();
    const lost = (dropped > 0 ? `, ${dropped} dropped` : "") + (late > 0 ? `, ${late} late` : "");
    return `${published} frames, ${this.#rate.toFixed(1)}/s, ${megabytes(bytes)}${lost}`;
  }

  /** From the start to now or to the end, to the millisecond. */
  get #seconds(): number {
    return Math.round((this.#end ?? this.#host.clock.monotonic()) - this.#start) / 1000;
  }

  get #counts() {
    const { name, place } = this.#settings;
    const { published, dropped, bytes } = this.camera.stats;
    return {
      camera: `CAMERA-${this.#number}`,
      partition: this.#number - 1,
      ...given({ name, place }),
      published,
      dropped,
      bytes,
      seconds: this.#seconds,
    };
  }

  /** Its timing faults; empty if there are none. */
  get #lateness() {
    const { late, behindMs, clockSteps, timeJumps } = this.camera.stats;
    return {
      ...(late === 0 ? {} : { late, behindSeconds: Number((behindMs / 1000).toFixed(3)) }),
      ...(clockSteps === 0 ? {} : { clockSteps }),
      ...(timeJumps === 0 ? {} : { timeJumps }),
    };
  }

  #measure(): void {
    const { published } = this.camera.stats;
    const now = this.#host.clock.monotonic();
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
