// Joins a runtime's feed and a log's feed: queries' outputs beside the original frames. A query without a
// display sink is shown by its output topic, or else by its source.
import type { Clock } from "../runtime/base/clock.ts";
import { given } from "../runtime/base/options.ts";
import type { Demand, Lane, LaneFeed, LanePicture } from "../runtime/lanes.ts";
import { waitAtMost } from "../runtime/base/wait.ts";
import type { LogFeed } from "./log_feed.ts";

/** Longest wait for the log's first poll. */
const FIRST_POLL_MS = 1_000;

export interface JoinedFeedOptions {
  /** The runtime's feed. */
  readonly queries: LaneFeed;
  /** The feed of the source and output topics. */
  readonly log: LogFeed;
  /** Output topic of each query, by name. */
  readonly outputTopics: Readonly<Record<string, string>>;
  /** Topics whose partitions are shown as lanes. */
  readonly topics: readonly string[];
  readonly clock: Clock;
}

export class JoinedFeed implements LaneFeed {
  readonly #options: JoinedFeedOptions;
  #demanded: ReadonlyMap<string, Demand> = new Map();
  /** Log lanes that can replace a lane without pictures, the best first. */
  #substitutes = new Map<string, readonly string[]>();
  /** Replacement pictures, under the name of the lane they replace. */
  readonly #renamed = new Map<string, { source: LanePicture; picture: LanePicture }>();

  constructor(options: JoinedFeedOptions) {
    this.#options = options;
  }

  lanes(): readonly Lane[] {
    const { queries, log, topics } = this.#options;
    const own = queries.lanes();
    this.#findSubstitutes(own);
    const known = new Set(own.map(({ id }) => id));
    const partitions = log.lanes();
    const sources = new Map(partitions.map((lane) => [`${lane.partition} ${lane.topic}`, lane]));
    const raw = partitions.filter(({ id, topic }) => !known.has(id) && topics.includes(topic));
    const joined = own.map((lane) =>
      withSource(this.#withArrival(lane), sources.get(`${lane.partition} ${lane.topic}`))
    );
    return [...joined, ...raw]
      .sort((a, b) => a.partition - b.partition);
  }

  get problem(): string | undefined {
    return this.#options.log.problem;
  }

  async measure(): Promise<void> {
    await Promise.all([this.#options.queries.measure?.(), this.#options.log.measure()]);
  }

  latest(lane: string): LanePicture | undefined {
    const { queries, log } = this.#options;
    const own = queries.latest(lane) ?? log.latest(lane);
    if (own !== undefined) return own;
    const substitute = this.#substituteOf(lane);
    return substitute === undefined ? undefined : this.#rename(log.latest(substitute)!, lane);
  }

  subscribe(listener: (picture: LanePicture) => void): () => void {
    const { queries, log } = this.#options;
    const ends = [
      queries.subscribe(listener),
      log.subscribe((picture) => {
        listener(picture);
        for (const lane of this.#substitutes.keys()) {
          if (this.#substituteOf(lane) === picture.lane) listener(this.#rename(picture, lane));
        }
      }),
    ];
    return () => ends.forEach((end) => end());
  }

  demand(lanes: ReadonlyMap<string, Demand>): void {
    this.#demanded = lanes;
    this.#options.queries.demand?.(lanes);
    const wanted = new Map(lanes);
    for (const [lane, demand] of lanes) {
      for (const substitute of this.#substitutes.get(lane) ?? []) wanted.set(substitute, demand);
    }
    this.#options.log.demand(wanted);
  }

  async refresh(lane: string): Promise<LanePicture | undefined> {
    const { queries, log, clock } = this.#options;
    const own = queries.latest(lane);
    if (own !== undefined) return own;
    if (!this.#substitutes.has(lane) && !log.lanes().some(({ id }) => id === lane)) {
      // Before its first poll, the log's feed knows no partitions.
      await waitAtMost(FIRST_POLL_MS, log.measure(), clock);
      this.#findSubstitutes(queries.lanes());
    }
    const substitutes = this.#substitutes.get(lane);
    if (substitutes === undefined) return await log.refresh(lane);
    for (const substitute of substitutes) {
      const picture = await log.refresh(substitute);
      if (picture !== undefined) return this.#rename(picture, lane);
    }
    return undefined;
  }

  /** The best replacement lane that has a picture. */
  #substituteOf(lane: string): string | undefined {
    return this.#substitutes.get(lane)?.find((id) => this.#options.log.latest(id) !== undefined);
  }

  /** Finds replacements for queries that have not shown any picture. */
  #findSubstitutes(own: readonly Lane[]): void {
    const { queries, log, outputTopics } = this.#options;
    const substitutes = new Map<string, readonly string[]>();
    for (const { id, query, topic, partition } of own) {
      if (queries.latest(id) !== undefined) continue;
      const found = [outputTopics[query], topic].flatMap((wanted) =>
        log.lanes().filter((lane) => lane.topic === wanted && lane.partition === partition)
      );
      if (found.length > 0) substitutes.set(id, found.map((lane) => lane.id));
    }
    if (JSON.stringify([...substitutes]) === JSON.stringify([...this.#substitutes])) return;
    this.#substitutes = substitutes;
    for (const id of this.#renamed.keys()) if (!substitutes.has(id)) this.#renamed.delete(id);
    this.demand(this.#demanded);
  }

  #withArrival(lane: Lane): Lane {
    if (
      lane.lastFrameArrival !== undefined || lane.lastFrameTimestamp === undefined ||
      !this.#substitutes.has(lane.id)
    ) return lane;
    const substitute = this.#substituteOf(lane.id);
    const shown = this.#options.log.lanes().find(({ id }) => id === substitute);
    const arrival = shown?.lastFrameArrival ?? lane.lastCommit;
    return arrival === undefined ? lane : { ...lane, lastFrameArrival: arrival };
  }

  #rename(source: LanePicture, lane: string): LanePicture {
    const known = this.#renamed.get(lane);
    if (known?.source === source) return known.picture;
    const offset = Number(source.headers["source-offset"] ?? source.offset);
    const { result, ...shown } = source;
    const picture: LanePicture = {
      ...shown,
      lane,
      offset: Number.isFinite(offset) ? offset : source.offset,
      // Drop another query's result.
      ...(result !== undefined && `${result.query}-${result.partition}` === lane ? { result } : {}),
    };
    this.#renamed.set(lane, { source, picture });
    return picture;
  }
}

/** Adds what the log's feed knows of the source partition to a query's lane. */
function withSource(lane: Lane, source: Lane | undefined): Lane {
  if (source === undefined) return lane;
  const { camera, cameraName, place, unused, removed, trouble, troubleSince } = source;
  const identity = { camera, ...given({ cameraName, place }) };
  // Of two names that of the newer frame counts.
  const isNewer = (lane.lastFrameTimestamp ?? 0) > (source.lastFrameTimestamp ?? 0);
  return {
    ...(isNewer ? { ...identity, ...lane } : { ...lane, ...identity }),
    ...given({ removed, trouble, troubleSince }),
    ...(lane.lastFrameTimestamp === undefined ? given({ unused }) : {}),
  };
}
