// A partition of a log as a lane: its camera, newest picture and rates.
import { given } from "../runtime/base/options.ts";
import type { Clock } from "../runtime/base/clock.ts";
import { type Frame, laneName } from "../runtime/definition/frame.ts";
import {
  cameraIdentity,
  type Demand,
  type Lane,
  type LanePicture,
  NO_NUMBERS,
} from "../runtime/lanes.ts";
import { type VideoCodec, videoCodecOf } from "../runtime/video/access_unit.ts";
import { LiveFindings } from "./findings.ts";
import { isImage } from "./picture.ts";

/** Number of frames for latency and rate. */
const RECENT = 64;
/** After this time without a poll nothing is known of when frames arrived, milliseconds. */
const BLIND_MS = 5_000;

export class PartitionLane {
  lane: Lane;
  picture: LanePicture | undefined;
  /** Cancels the reading of a partition with viewers. */
  reading: AbortController | undefined;
  /** What viewers want of it. */
  demand: Demand | undefined;
  readonly findings = new LiveFindings();
  /** End of the partition when its newest frame was last read. */
  refreshedTo?: number;
  /** When the camera's name was last read, monotonic. */
  identifiedAt = -Infinity;
  /** Arrival times (monotonic) and latencies of the last frames. */
  readonly #arrivals: number[] = [];
  readonly #latencies: number[] = [];
  /** End offset at the last poll, and its time. */
  #polled: { latest: number; at: number } | undefined;

  constructor(id: string, topic: string, partition: number) {
    this.lane = {
      id,
      query: "raw",
      name: laneName(partition),
      topic,
      partition,
      ...cameraIdentity({ key: null, partition, headers: {} }),
      state: "running",
      ...NO_NUMBERS,
    };
  }

  /** Counts frames that arrived just now; those that were in the log before say nothing about rates. */
  arrived(frames: readonly Frame[], clock: Clock): void {
    for (const { timestamp } of frames) {
      this.#arrivals.push(clock.monotonic());
      this.#latencies.push(Math.max(0, clock.now() - timestamp));
    }
    this.#arrivals.splice(0, this.#arrivals.length - RECENT);
    this.#latencies.splice(0, this.#latencies.length - RECENT);
  }

  /** Shows a frame with an image; `video` is the codec of its access unit. */
  show(frame: Frame, video?: VideoCodec): void {
    const result = this.findings.before(frame.timestamp);
    this.picture = {
      lane: this.lane.id,
      offset: frame.offset,
      timestamp: frame.timestamp,
      bytes: frame.value.slice(),
      headers: frame.headers,
      ...given({ result, video }),
    };
  }

  /** Adds recent results for an access unit that is shown without its own picture. */
  found({ offset, timestamp }: Frame): void {
    const result = this.findings.before(timestamp);
    if (this.picture === undefined || result === undefined) return;
    this.picture = { ...this.picture, offset, timestamp, result };
  }

  /**
   * Updates the lane with the newest frame's name and times. A frame that is not `fresh` was in the log before
   * this viewer looked: it arrived when it was captured, as far as is known.
   */
  seen(frame: Frame, clock: Clock, fresh: boolean): void {
    const { cameraName: _name, place: _place, lastFrameArrival = 0, ...lane } = this.lane;
    const now = clock.now();
    this.identifiedAt = clock.monotonic();
    this.lane = {
      ...lane,
      ...cameraIdentity(frame),
      lastFrameTimestamp: frame.timestamp,
      lastFrameArrival: fresh ? now : Math.max(lastFrameArrival, Math.min(frame.timestamp, now)),
      ...(fresh ? this.#numbers(clock) : {}),
    };
  }

  /** Whether the last poll was long ago: frames since then may be as old. */
  isBlind(clock: Clock): boolean {
    return this.#polled === undefined || clock.monotonic() - this.#polled.at > BLIND_MS;
  }

  /** Updates the rate of a partition without readers from its end offset. */
  polledTo(latest: number, clock: Clock): void {
    const at = clock.monotonic();
    const before = this.isBlind(clock) ? undefined : this.#polled;
    this.#polled = { latest, at };
    const { unused: _, ...used } = this.lane;
    this.lane = latest > 0 ? used : { ...used, unused: true };
    if (this.reading !== undefined) {
      this.lane = { ...this.lane, ...this.#numbers(clock) };
      return;
    }
    if (this.lane.state === "restarting") {
      const { exception: _, ...healthy } = this.lane;
      this.lane = { ...healthy, state: "running" };
    }
    const seconds = before === undefined ? 0 : (at - before.at) / 1_000;
    if (before === undefined || seconds <= 0.2) return;
    const frames = Math.max(0, latest - before.latest);
    this.lane = {
      ...this.lane,
      framesPerSecondIn: frames / seconds,
      framesPerSecondOut: 0,
      ...(frames > 0 ? { lastFrameArrival: clock.now() } : {}),
    };
  }

  /** Rates and latencies of the frames that arrived last. */
  #numbers(clock: Clock): Partial<Lane> {
    const rate = rateOf(this.#arrivals, clock.monotonic());
    const sorted = this.#latencies.toSorted((a, b) => a - b);
    return {
      framesPerSecondIn: rate,
      framesPerSecondOut: rate,
      ...given({
        latencyP50Ms: sorted[sorted.length >> 1],
        latencyP99Ms: sorted[Math.floor(sorted.length * 0.99)],
      }),
    };
  }

  /** Resets the statistics when the last viewer leaves. */
  rest(): void {
    this.#arrivals.length = this.#latencies.length = 0;
  }
}

/** Whether a frame can be shown: an image or an access unit. */
export function isShown({ value, headers }: Frame): boolean {
  return videoCodecOf(headers["content-type"]) !== undefined || isImage(value);
}

/** Arrivals per second over the last five seconds. */
function rateOf(arrivals: readonly number[], now: number): number {
  const recent = arrivals.filter((arrival) => now - arrival <= 5_000);
  if (recent.length < 2) return 0;
  const span = Math.max(now - recent[0]!, 1);
  return ((recent.length - 1) * 1_000) / span;
}
