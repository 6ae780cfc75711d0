/**
 * What the viewer sees of a driver's queries.
 *
 * @module
 */
import type { Clock } from "../base/clock.ts";
import type { Picture } from "../executor/pictures.ts";
import { cameraIdentity, type Lane, type LaneFeed, type LanePicture } from "../lanes.ts";
import type { StreamingQueryProgress } from "../definition/progress.ts";
import { type LagMeter, STALE_MS } from "./lag.ts";
import type { StreamingQueryManager } from "./manager.ts";
import type { StreamingQuery } from "./streaming_query.ts";

/** The lanes of a driver. */
export class DriverFeed implements LaneFeed {
  /** Called when the first viewer comes and when the last one goes. */
  readonly #onWatched: (watched: boolean) => void;
  readonly #streams: StreamingQueryManager;
  readonly #clock: Clock;
  readonly #lag: LagMeter;
  readonly #planOf: (query: string) => string;
  readonly #pictures = new Map<string, LanePicture & { readonly arrival: number }>();
  /** The newest run of each lane. */
  readonly #runs = new Map<string, number>();
  readonly #listeners = new Set<(picture: LanePicture) => void>();
  /** Listeners that count as viewers. */
  #watchers = 0;

  constructor(
    streams: StreamingQueryManager,
    clock: Clock,
    lag: LagMeter,
    planOf: (query: string) => string,
    onWatched: (watched: boolean) => void,
  ) {
    this.#onWatched = onWatched;
    this.#streams = streams;
    this.#clock = clock;
    this.#lag = lag;
    this.#planOf = planOf;
  }

  lanes(): readonly Lane[] {
    return this.#streams.all.map((query) => this.#lane(query));
  }

  measure(): Promise<void> {
    return this.#lag.measure(this.#streams.all);
  }

  latest(lane: string): LanePicture | undefined {
    return this.#pictures.get(lane);
  }

  subscribe(listener: (picture: LanePicture) => void, passive = false): () => void {
    this.#listeners.add(listener);
    if (!passive && ++this.#watchers === 1) this.#onWatched(true);
    return () => {
      if (!this.#listeners.delete(listener) || passive) return;
      if (--this.#watchers === 0) this.#onWatched(false);
    };
  }

  progress(): readonly StreamingQueryProgress[] {
    return this.#streams.all.flatMap(({ lastProgress }) => lastProgress ?? []);
  }

  history(lane: string): { progress: readonly StreamingQueryProgress[]; plan: string } {
    const query = this.#streams.all.find((one) => laneId(one) === lane);
    return {
      progress: query?.recentProgress ?? [],
      plan: query === undefined ? "" : this.#planOf(query.query),
    };
  }

  /** A picture came from an executor. */
  show({ run, ...shown }: Picture): void {
    const { offset, timestamp, contentType, headers, result, bytes } = shown;
    const lane = laneId(shown);
    // A run that was given up may still send one.
    if (run < (this.#runs.get(lane) ?? 0)) return;
    this.#runs.set(lane, run);
    const before = this.#pictures.get(lane);
    const picture = {
      lane,
      offset,
      timestamp,
      contentType: bytes.length > 0 ? contentType : before?.contentType ?? contentType,
      // A finding without a picture of its own is shown on the picture before it.
      bytes: bytes.length > 0 ? bytes : before?.bytes ?? bytes,
      headers,
      ...(result !== undefined ? { result } : {}),
      arrival: this.#clock.now(),
    };
    if (picture.bytes.length === 0) return;
    this.#pictures.set(lane, picture);
    for (const listener of this.#listeners) listener(picture);
  }

  /** A lane is not here any more. */
  forget(query: StreamingQuery): void {
    this.#pictures.delete(laneId(query));
    this.#runs.delete(laneId(query));
  }

  #lane(query: StreamingQuery): Lane {
    const progress = query.lastProgress;
    const { topic, partition, totals } = query;
    const now = this.#clock.now();
    const fresh = query.lastCommit !== undefined && now - query.lastCommit < STALE_MS;
    const picture = this.#pictures.get(laneId(query));
    const outRatio = progress !== undefined && progress.numInputRows > 0
      ? progress.sink.numOutputRows / progress.numInputRows
      : 0;
    const fps = fresh ? progress?.inputRowsPerSecond ?? 0 : 0;
    const latency = progress?.latencies?.e2eLatencyMs;
    const newest = progress?.eventTime.max;
    return {
      id: laneId(query),
      query: query.query,
      name: query.name,
      topic,
      partition,
      ...cameraIdentity({ key: null, partition, headers: picture?.headers ?? {} }),
      state: query.state,
      ...(query.exception !== undefined && ["failed", "restarting"].includes(query.state)
        ? { exception: query.exception.message }
        : {}),
      framesPerSecondIn: fps,
      framesPerSecondOut: Math.round(fps * outRatio * 100) / 100,
      lagFrames: this.#lag.of(query),
      ...(latency !== undefined ? { latencyP50Ms: latency.P50, latencyP99Ms: latency.P99 } : {}),
      dropped: totals.dropped,
      deadLettered: totals.deadLettered,
      gaps: totals.gaps,
      restarts: query.restarts,
      ...(picture !== undefined
        ? { lastFrameTimestamp: picture.timestamp, lastFrameArrival: picture.arrival }
        : newest !== undefined
        ? { lastFrameTimestamp: Date.parse(newest) }
        : {}),
      ...(query.lastCommit !== undefined ? { lastCommit: query.lastCommit } : {}),
    };
  }
}

/** `greyscale-0`: unique within a driver and safe in URLs. */
export function laneId(query: { query: string; partition: number }): string {
  return `${query.query}-${query.partition}`;
}
