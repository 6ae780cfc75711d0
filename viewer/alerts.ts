// Alerts as episodes, from live results and from the log.
import { given } from "../runtime/base/options.ts";
import type { Clock } from "../runtime/base/clock.ts";
import type { Result } from "../runtime/definition/frame.ts";
import type { Lane, LaneFeed, LanePicture } from "../runtime/lanes.ts";
import { cameraOfPartition } from "../runtime/definition/frame.ts";
import { maySee, type Visitor } from "./access.ts";
import type { AlertView } from "./protocol.ts";

/** Maximum number of episodes; the oldest are dropped. */
const MAX_EPISODES = 500;
/** An episode without updates for this long is over: its runtime has gone. */
const LOST_MS = 60_000;
const CHECK_MS = 1_000;
/** `Lane.query` of an unprocessed partition. */
const RAW = "raw";

interface Episode {
  readonly query: string;
  readonly topic: string;
  readonly partition: number;
  /** Everything except the lane, which may not exist yet. */
  view: Omit<AlertView, "lane" | "partition" | "cameraName" | "place">;
  lane: string | undefined;
  /** The lane is not the query's own. */
  raw?: boolean;
  over: boolean;
  /** Version of the book at the last change. */
  version: number;
  /** Time of the last update, monotonic. */
  heard: number;
}

export interface AlertBookOptions {
  /** Source of live results. */
  readonly feed: LaneFeed;
  /** All lanes of the wall: an alert is shown on one of them. */
  readonly lanes: () => readonly Lane[];
  readonly clock: Clock;
}

export class AlertBook {
  readonly #options: AlertBookOptions;
  readonly #episodes = new Map<string, Episode>();
  readonly #unsubscribe: () => void;
  #version = 0;
  #checkedAt = -Infinity;

  constructor(options: AlertBookOptions) {
    this.#options = options;
    this.#unsubscribe = options.feed.subscribe((picture) => this.#add(picture));
  }

  /** Increases whenever an episode begins or changes. */
  get version(): number {
    this.#check();
    return this.#version;
  }

  /** Episodes that changed after `version`, ordered by start. */
  since(version: number, visitor: Visitor): AlertView[] {
    this.#check();
    const views: AlertView[] = [];
    const lanes = new Map(this.#options.lanes().map((lane) => [lane.id, lane]));
    for (const { view, lane, partition, version: changed } of this.#episodes.values()) {
      if (lane === undefined || changed <= version || !maySee(visitor, partition)) continue;
      const { cameraName, place } = lanes.get(lane) ?? {};
      views.push({ ...view, lane, partition, ...given({ cameraName, place }) });
    }
    return views.sort((a, b) => a.fromTime - b.fromTime);
  }

  close(): void {
    this.#unsubscribe();
  }

  #add(picture: LanePicture): void {
    const { result, offset, timestamp } = picture;
    if (result?.alert === undefined) return;
    const lane = this.#options.feed.lanes().find(({ id }) => id === picture.lane);
    if (lane === undefined) return;
    const { query, topic, partition, camera } = lane;
    const window = result.window ?? {
      ...{ firstOffset: offset, lastOffset: offset, frames: 1, gaps: 0 },
      ...{ firstTimestamp: timestamp, lastTimestamp: timestamp },
    };
    const whole = { query, topic, partition, camera, alert: result.alert, window };
    this.take(whole, this.#options.clock.monotonic());
  }

  /** Adds a result, which came at `heard` (monotonic). Repetitions have no effect. */
  take(result: Result, heard: number): void {
    const { query, topic, partition, camera, window, alert } = result;
    if (query === undefined || topic === undefined || partition === undefined) return;
    if (window === undefined || alert === undefined) return;
    const key = `${topic} ${partition} ${alert.id}`;
    const known = this.#episodes.get(key);
    const episode = known ?? this.#begin({ query, topic, partition, lane: undefined, heard }, {
      id: key,
      camera: camera ?? cameraOfPartition(partition),
      label: alert.label,
      peak: alert.peak,
      active: true,
      fromOffset: window.firstOffset,
      toOffset: window.lastOffset,
      fromTime: window.firstTimestamp,
      toTime: window.lastTimestamp,
    });
    episode.heard = Math.max(episode.heard, heard);
    // The log repeats live results: an episode that has ended stays ended.
    episode.over ||= alert.state === "end";
    const { view } = episode;
    const next = {
      ...view,
      peak: Math.max(alert.peak, view.peak),
      active: this.#isActive(episode),
      toOffset: Math.max(view.toOffset, window.lastOffset),
      toTime: Math.max(view.toTime, window.lastTimestamp),
    };
    if (known === undefined || JSON.stringify(next) !== JSON.stringify(view)) {
      episode.view = next;
      episode.version = ++this.#version;
    }
  }

  #begin(
    where: Pick<Episode, "query" | "topic" | "partition" | "lane" | "heard">,
    view: Episode["view"],
  ): Episode {
    const episode = { ...where, view, over: false, version: 0 };
    this.#place(episode, this.#options.lanes());
    this.#episodes.set(view.id, episode);
    if (this.#episodes.size > MAX_EPISODES) {
      let oldest: Episode = episode;
      for (const each of this.#episodes.values()) {
        if (each.view.fromTime < oldest.view.fromTime) oldest = each;
      }
      this.#episodes.delete(oldest.view.id);
    }
    return episode;
  }

  /** Chooses the lane to show an episode on: its query's, or else the unprocessed partition. */
  #place(episode: Episode, lanes: readonly Lane[]): boolean {
    const { query, topic, partition } = episode;
    const candidates = lanes.filter((lane) => lane.topic === topic && lane.partition === partition);
    const best = candidates.find((lane) => lane.query === query) ??
      candidates.find((lane) => lane.query === RAW) ?? candidates[0];
    if (best === undefined || best.id === episode.lane) return false;
    episode.lane = best.id;
    episode.raw = best.query !== query;
    return true;
  }

  #isActive({ over, heard }: Episode): boolean {
    return !over && this.#options.clock.monotonic() - heard < LOST_MS;
  }

  /** Periodically updates lanes, and ends episodes without updates. */
  #check(): void {
    const { clock, lanes } = this.#options;
    if (clock.monotonic() - this.#checkedAt < CHECK_MS) return;
    this.#checkedAt = clock.monotonic();
    let known: readonly Lane[] | undefined;
    for (const episode of this.#episodes.values()) {
      const moved = (episode.lane === undefined || episode.raw === true) &&
        this.#place(episode, known ??= lanes());
      const lost = episode.view.active && !this.#isActive(episode);
      if (lost) episode.view = { ...episode.view, active: false };
      if (moved || lost) episode.version = ++this.#version;
    }
  }
}
