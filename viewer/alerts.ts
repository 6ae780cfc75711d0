/**
 * Alerts as episodes: what the queries said, remembered while the viewer runs.
 *
 * @module
 */
import type { Lane, LaneFeed, LanePicture } from "../runtime/lanes.ts";
import { maySee, type Visitor } from "./access.ts";
import type { AlertView } from "./protocol.ts";
import type { Scaler } from "./scaler.ts";

/** Episodes that are remembered; the oldest make place for new ones. */
const MAX_EPISODES = 500;
const THUMBNAIL_WIDTH = 320;

interface Episode {
  view: AlertView;
  readonly partition: number;
  /** When it last changed, as the book's version then. */
  version: number;
  readonly thumbnail: Promise<Thumbnail>;
}

/** A small picture. */
export interface Thumbnail {
  readonly bytes: Uint8Array;
  readonly contentType: string;
}

/** Collects the alerts of all lanes. */
export class AlertBook {
  readonly #feed: LaneFeed;
  readonly #scaler: Scaler;
  /** In order of their beginning. */
  readonly #episodes = new Map<string, Episode>();
  readonly #unsubscribe: () => void;
  #version = 0;

  constructor(feed: LaneFeed, scaler: Scaler) {
    this.#feed = feed;
    this.#scaler = scaler;
    this.#unsubscribe = feed.subscribe((picture) => this.#take(picture), true);
  }

  /** Grows whenever an episode begins or changes. */
  get version(): number {
    return this.#version;
  }

  /** Episodes that changed after `version`, oldest first. */
  since(version: number, visitor: Visitor): AlertView[] {
    const views: AlertView[] = [];
    for (const episode of this.#episodes.values()) {
      if (episode.version > version && maySee(visitor, episode.partition)) views.push(episode.view);
    }
    return views;
  }

  /** The picture with which an episode began. */
  thumbnail(id: string, visitor: Visitor): Promise<Thumbnail> | undefined {
    const episode = this.#episodes.get(id);
    return episode !== undefined && maySee(visitor, episode.partition)
      ? episode.thumbnail
      : undefined;
  }

  close(): void {
    this.#unsubscribe();
  }

  #take(picture: LanePicture): void {
    const { result } = picture;
    if (result?.alert === undefined) return;
    const lane = this.#feed.lanes().find(({ id }) => id === picture.lane);
    if (lane === undefined) return;
    const { id, state, label, peak } = result.alert;
    const key = `${lane.id} ${id}`;
    const episode = this.#episodes.get(key) ?? this.#begin(key, lane, picture);
    episode.version = ++this.#version;
    episode.view = {
      ...episode.view,
      label,
      peak: Math.max(peak, episode.view.peak),
      active: state !== "end",
      toOffset: Math.max(episode.view.toOffset, result.window?.lastOffset ?? picture.offset),
      toTime: Math.max(episode.view.toTime, result.window?.lastTimestamp ?? picture.timestamp),
    };
  }

  #begin(key: string, lane: Lane, picture: LanePicture): Episode {
    const { window } = picture.result!;
    const { alert } = picture.result!;
    const episode: Episode = {
      partition: lane.partition,
      version: 0,
      thumbnail: Promise.resolve(this.#scaler.scaled(picture, THUMBNAIL_WIDTH))
        .then(({ bytes, contentType }) => ({ bytes, contentType })),
      view: {
        id: key,
        lane: lane.id,
        camera: lane.camera,
        label: alert!.label,
        peak: alert!.peak,
        active: true,
        fromOffset: window?.firstOffset ?? picture.offset,
        toOffset: window?.lastOffset ?? picture.offset,
        fromTime: window?.firstTimestamp ?? picture.timestamp,
        toTime: window?.lastTimestamp ?? picture.timestamp,
      },
    };
    this.#episodes.set(key, episode);
    if (this.#episodes.size > MAX_EPISODES) {
      this.#episodes.delete(this.#episodes.keys().next().value!);
    }
    return episode;
  }
}
