/**
 * The lanes of several drivers as one feed; drivers come and go.
 *
 * @module
 */
import type { StreamingQueryProgress } from "../../runtime/definition/progress.ts";
import type { Lane, LaneFeed, LanePicture } from "../../runtime/lanes.ts";

interface Listener {
  readonly listen: (picture: LanePicture) => void;
  readonly passive: boolean;
  /** Ends its subscription to each feed. */
  readonly ends: Map<LaneFeed, () => void>;
}

/** Feeds as one. */
export class FeedGroup implements LaneFeed {
  readonly #feeds = new Set<LaneFeed>();
  readonly #listeners = new Set<Listener>();

  add(feed: LaneFeed): void {
    this.#feeds.add(feed);
    for (const listener of this.#listeners) listenTo(feed, listener);
  }

  remove(feed: LaneFeed): void {
    this.#feeds.delete(feed);
    for (const { ends } of this.#listeners) {
      ends.get(feed)?.();
      ends.delete(feed);
    }
  }

  lanes(): readonly Lane[] {
    return this.#all((feed) => feed.lanes()).sort((a, b) => a.partition - b.partition);
  }

  async measure(): Promise<void> {
    await Promise.all([...this.#feeds].map((feed) => feed.measure?.()));
  }

  latest(lane: string): LanePicture | undefined {
    for (const feed of this.#feeds) {
      const picture = feed.latest(lane);
      if (picture !== undefined) return picture;
    }
    return undefined;
  }

  subscribe(listen: (picture: LanePicture) => void, passive = false): () => void {
    const listener = { listen, passive, ends: new Map<LaneFeed, () => void>() };
    this.#listeners.add(listener);
    for (const feed of this.#feeds) listenTo(feed, listener);
    return () => {
      this.#listeners.delete(listener);
      for (const end of listener.ends.values()) end();
    };
  }

  progress(): readonly StreamingQueryProgress[] {
    return this.#all((feed) => feed.progress());
  }

  history(lane: string): { progress: readonly StreamingQueryProgress[]; plan: string } {
    for (const feed of this.#feeds) {
      if (feed.lanes().some(({ id }) => id === lane)) return feed.history(lane);
    }
    return { progress: [], plan: "" };
  }

  #all<T>(of: (feed: LaneFeed) => readonly T[]): T[] {
    return [...this.#feeds].flatMap(of);
  }
}

function listenTo(feed: LaneFeed, { listen, passive, ends }: Listener): void {
  ends.set(feed, feed.subscribe(listen, passive));
}
