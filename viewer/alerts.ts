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
  /** Everything except its lane, which may come and go. */
  view: Omit<AlertView, "lane" | "partition" | "cameraName" | "place">;
  /** Id of its lane at the last check. */
  lane: string | undefined;
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
    this.#unsubscribe = options.feed.subscribe((picture) => this.#hear(picture));
  }

  /** Increases whenever an episode begins or changes. */
  get version(): number {
    this.#check();
    return this.#version;
  }

  /** Episodes that changed after `version`, ordered by start. */
  since(version: number, visitor: Visitor): AlertView[] {
    this.#check();
    const lanes = this.#options.lanes();
    return [...this.#episodes.values()]
      .filter((episode) => episode.version > version)
      .flatMap((episode) => viewOf(episode, lanes, visitor) ?? [])
      .sort((a, b) => a.fromTime - b.fromTime);
  }

  /** The episode with that id, if it exists and the visitor may see it. */
  find(id: string, visitor: Visitor): AlertView | undefined {
    const episode = this.#episodes.get(id);
    return episode && viewOf(episode, this.#options.lanes(), visitor);
  }

  close(): void {
    this.#unsubscribe();
  }

  #hear(picture: LanePicture): void {
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
    const episode = known ?? {
      ...{ query, topic, partition, heard, over: false, version: 0 },
      lane: laneOf({ query, topic, partition }, this.#options.lanes())?.id,
      view: {
        id: key,
        camera: camera ?? cameraOfPartition(partition),
        label: alert.label,
        peak: alert.peak,
        active: true,
        fromOffset: window.firstOffset,
        toOffset: window.lastOffset,
        fromTime: window.firstTimestamp,
        toTime: window.lastTimestamp,
      },
    };
    if (known === undefined) this.#add(episode);
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

  #add(episode: Episode): void {
    this.#episodes.set(episode.view.id, episode);
    if (this.#episodes.size <= MAX_EPISODES) return;
    const oldest = [...this.#episodes.values()]
      .reduce((oldest, each) => each.view.fromTime < oldest.view.fromTime ? each : oldest);
    this.#episodes.delete(oldest.view.id);
  }

  #isActive({ over, heard }: Episode): boolean {
    return !over && this.#options.clock.monotonic() - heard < LOST_MS;
  }

  /** Periodically ends episodes without updates, and sends those again whose lane came or went. */
  #check(): void {
    const { clock } = this.#options;
    if (clock.monotonic() - this.#checkedAt < CHECK_MS) return;
    this.#checkedAt = clock.monotonic();
    const lanes = this.#options.lanes();
    for (const episode of this.#episodes.values()) {
      const lane = laneOf(episode, lanes)?.id;
      const lost = episode.view.active && !this.#isActive(episode);
      if (lost) episode.view = { ...episode.view, active: false };
      if (lane !== episode.lane || lost) episode.version = ++this.#version;
      episode.lane = lane;
    }
  }
}

/** The episode as a visitor sees it; undefined if there is no lane to show it on. */
function viewOf(
  episode: Episode,
  lanes: readonly Lane[],
  visitor: Visitor,
): AlertView | undefined {
  const { view, partition } = episode;
  const lane = maySee(visitor, partition) ? laneOf(episode, lanes) : undefined;
  if (lane === undefined) return undefined;
  const { cameraName, place } = lane;
  return { ...view, lane: lane.id, partition, ...given({ cameraName, place }) };
}

/** The lane to show an episode on: its query's, or else the unprocessed partition. */
function laneOf(
  { query, topic, partition }: Pick<Episode, "query" | "topic" | "partition">,
  lanes: readonly Lane[],
): Lane | undefined {
  const candidates = lanes.filter((lane) => lane.topic === topic && lane.partition === partition);
  return candidates.find((lane) => lane.query === query) ??
    candidates.find((lane) => lane.query === RAW) ?? candidates[0];
}
