// The viewer's access to a driver's queries.
import type { Clock } from "../base/clock.ts";
import { given } from "../base/options.ts";
import type { Picture, Watched } from "../executor/pictures.ts";
import { cameraIdentity, type Lane, type LaneFeed, laneId, type LanePicture } from "../lanes.ts";
import type { Headers } from "../definition/frame.ts";
import type { Places } from "../definition/places.ts";
import type { StreamingQueryProgress } from "../definition/progress.ts";
import { type LagMeter, STALE_MS } from "./lag.ts";
import type { StreamingQueryManager } from "./manager.ts";
import type { StreamingQuery } from "./streaming_query.ts";

export class DriverFeed implements LaneFeed {
  readonly #streams: StreamingQueryManager;
  readonly #clock: Clock;
  readonly #lag: LagMeter;
  readonly #placesOf: (query: string) => Places | undefined;
  readonly #pictures = new Map<string, LanePicture & { readonly arrival: number }>();
  readonly #runs = new Map<string, number>();
  readonly #listeners = new Set<(picture: LanePicture) => void>();
  /** Sets the watched lanes. */
  readonly demand: (lanes: Watched) => void;

  constructor(
    streams: StreamingQueryManager,
    clock: Clock,
    lag: LagMeter,
    placesOf: (query: string) => Places | undefined,
    onDemand: (lanes: Watched) => void,
  ) {
    this.demand = onDemand;
    this.#streams = streams;
    this.#clock = clock;
    this.#lag = lag;
    this.#placesOf = placesOf;
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

  subscribe(listener: (picture: LanePicture) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  progress(): readonly StreamingQueryProgress[] {
    return this.#streams.all.flatMap(({ lastProgress }) => lastProgress ?? []);
  }

  history(lane: string): { progress: readonly StreamingQueryProgress[]; plan: string } {
    const query = this.#streams.all.find((one) => laneId(one) === lane);
    return { progress: query?.recentProgress ?? [], plan: query?.explain() ?? "" };
  }

  /** Receives a picture from an executor. */
  show({ run, ...shown }: Picture): void {
    const { offset, timestamp, headers, result, bytes, video } = shown;
    const lane = laneId(shown);
    // A former run may still send one.
    if (run < (this.#runs.get(lane) ?? 0)) return;
    this.#runs.set(lane, run);
    const before = this.#pictures.get(lane);
    const shownAs = bytes.length > 0 ? video : before?.video;
    const picture = {
      lane,
      offset,
      timestamp,
      // A finding without a picture is shown on the one before it.
      bytes: bytes.length > 0 ? bytes : before?.bytes ?? bytes,
      headers,
      ...given({ result, video: shownAs }),
      arrival: this.#clock.now(),
    };
    if (picture.bytes.length === 0) return;
    // Beside an access unit that was not decoded, the picture before it keeps its own offset and time.
    if (bytes.length > 0 || video === undefined) this.#pictures.set(lane, picture);
    for (const listener of this.#listeners) listener(picture);
  }

  /** Forgets a removed lane. */
  forget(query: StreamingQuery): void {
    this.#pictures.delete(laneId(query));
    this.#runs.delete(laneId(query));
  }

  #lane(query: StreamingQuery): Lane {
    const progress = query.lastProgress;
    const { topic, partition, totals } = query;
    const fresh = this.#clock.monotonic() - query.reportedAt < STALE_MS;
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
      ...identityOf(query, picture?.headers ?? {}),
      state: query.state,
      ...given({
        exception: ["failed", "restarting"].includes(query.state)
          ? query.exception?.message
          : undefined,
        trouble: query.trouble,
        latencyP50Ms: latency?.P50,
        latencyP99Ms: latency?.P99,
        lastCommit: query.lastCommit,
        places: this.#placesOf(query.query),
      }),
      framesPerSecondIn: fps,
      framesPerSecondOut: Math.round(fps * outRatio * 100) / 100,
      lagFrames: this.#lag.of(query),
      dropped: totals.dropped,
      deadLettered: totals.deadLettered,
      gaps: totals.gaps,
      restarts: query.restarts,
      ...lastFrame(picture, newest, query.lastCommit),
    };
  }
}

/** From the newest frame, or else the newest picture. */
function identityOf(
  { lastProgress, partition }: StreamingQuery,
  headers: Headers,
): ReturnType<typeof cameraIdentity> {
  if (lastProgress === undefined) return cameraIdentity({ key: null, partition, headers });
  const { camera, cameraName, place } = lastProgress;
  return { camera, ...given({ cameraName, place }) };
}

/** A lane that is not watched sends few pictures: its commits show the frames between them. */
function lastFrame(
  picture: { readonly timestamp: number; readonly arrival: number } | undefined,
  newest: string | undefined,
  lastCommit: number | undefined,
): Pick<Lane, "lastFrameTimestamp" | "lastFrameArrival"> {
  const committed = newest === undefined ? -Infinity : Date.parse(newest);
  if (picture === undefined) return newest === undefined ? {} : { lastFrameTimestamp: committed };
  const { timestamp, arrival } = picture;
  if (committed < timestamp) return { lastFrameTimestamp: timestamp, lastFrameArrival: arrival };
  // A picture that was decoded for a viewer arrives long after its frame.
  const seen = lastCommit ?? arrival;
  return {
    lastFrameTimestamp: committed,
    lastFrameArrival: committed > timestamp ? seen : Math.min(seen, arrival),
  };
}
