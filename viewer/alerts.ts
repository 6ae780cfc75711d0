// Alerts as episodes, from live results and from the log.
import { given } from "../runtime/base/options.ts";
import { type Clock, monotonicOf } from "../runtime/base/clock.ts";
import { pause } from "../runtime/base/wait.ts";
import { cameraOfPartition, type Result } from "../runtime/definition/frame.ts";
import type { Lane, LaneFeed, LanePicture } from "../runtime/lanes.ts";
import type { TopicLog } from "../runtime/log/log.ts";
import { alertTopic } from "../runtime/sinks/findings.ts";
import { maySee, type Visitor } from "./access.ts";
import { parseResult } from "./findings.ts";
import { LogReads, type Partition } from "./log_reads.ts";
import type { AlertView } from "./protocol.ts";

/** Maximum number of episodes; the oldest are dropped. */
const MAX_EPISODES = 500;
/** An episode without updates for this long is over: its runtime has gone. */
const LOST_MS = 60_000;
const CHECK_MS = 1_000;
/** Number of existing records read per partition. */
const LOOK_BACK = 1_000;
/**
 * Poll interval. A waiting reader would be notified at once, but would check every frame appended to the log;
 * results of this runtime's own queries arrive at once anyway.
 */
const POLL_MS = 2_000;
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
  readonly #stop = new AbortController();
  #following: Promise<void> | undefined;
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

  /**
   * Follows the alerts recorded for these topics, including those of other runtimes and from before the start.
   * Retries while the log is unreachable.
   */
  follow(log: TopicLog, topics: readonly string[]): void {
    const reads = new LogReads(log, this.#stop.signal);
    this.#following = Promise.all(topics.map((topic) => this.#follow(reads, alertTopic(topic))))
      .then(() => reads.close());
  }

  /** Stops listening and reading. Does not close the log. */
  async close(): Promise<void> {
    this.#unsubscribe();
    this.#stop.abort(new Error("The alerts are closed"));
    await this.#following;
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
    this.#take(whole, this.#options.clock.monotonic());
  }

  async #follow(reads: LogReads, topic: string): Promise<void> {
    /** The next offset of each partition. */
    const next: (number | undefined)[] = [];
    let fresh = false;
    do {
      try {
        const count = await reads.log.partitionCount(topic);
        // The topic is created with the first alert: then all records are new.
        fresh ||= count === 0;
        await Promise.all(Array.from({ length: count }, async (_, partition) => {
          next[partition] = await this.#read(reads, { topic, partition }, next[partition], fresh);
        }));
      } catch {
        // The lanes report problems with the log; alerts are read once it is back.
      }
    } while (await pause(POLL_MS, this.#stop.signal, this.#options.clock));
  }

  /** Takes what was recorded from `next` on. Returns the next offset; undefined for a recreated topic. */
  async #read(
    reads: LogReads,
    of: Partition,
    next: number | undefined,
    fresh: boolean,
  ): Promise<number | undefined> {
    const { clock } = this.#options;
    const { earliest, latest } = await reads.offsets(of);
    const from = Math.max(earliest, next ?? (fresh ? 0 : latest - LOOK_BACK));
    if (from >= latest) return from === latest ? latest : undefined;
    for (const { value, timestamp } of await reads.read(of, from, latest)) {
      const result = parseResult(value);
      if (!result || !isAlert(result)) continue;
      const now = clock.monotonic();
      // Existing records are as old as their capture times.
      const isNew = fresh || next !== undefined;
      this.#take(result, isNew ? now : Math.min(now, monotonicOf(clock, timestamp)));
    }
    return latest;
  }

  /** Adds a result, which came at `heard` (monotonic). Repetitions have no effect. */
  #take(result: Result, heard: number): void {
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

/** Validates a record, which may be foreign. */
function isAlert({ alert, window, topic, query, partition }: Result): boolean {
  return typeof alert?.id === "string" && typeof alert.label === "string" &&
    typeof alert.peak === "number" && ["start", "update", "end"].includes(alert.state) &&
    typeof topic === "string" && typeof query === "string" && Number.isInteger(partition) &&
    typeof window?.firstOffset === "number" && typeof window.lastOffset === "number" &&
    typeof window.firstTimestamp === "number" && typeof window.lastTimestamp === "number";
}
