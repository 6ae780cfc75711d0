/**
 * Several feeds as one: what queries made of the frames, beside the frames as they were.
 *
 * @module
 */
import type { Lane, LaneFeed, LanePicture } from "../runtime/lanes.ts";
import type { StreamingQueryProgress } from "../runtime/progress.ts";
import type { DemandFeed } from "./hub.ts";

/** Joins feeds whose lanes have different ids. Where two have the same id, the first feed's is meant. */
export class JoinedFeed implements DemandFeed {
  readonly #feeds: readonly LaneFeed[];
  /** Asked for with every picture, so it is remembered. */
  readonly #owners = new Map<string, LaneFeed>();

  constructor(feeds: readonly LaneFeed[]) {
    this.#feeds = feeds;
  }

  lanes(): readonly Lane[] {
    const seen = new Set<string>();
    const lanes: Lane[] = [];
    for (const feed of this.#feeds) {
      for (const lane of feed.lanes()) {
        if (seen.has(lane.id)) continue;
        seen.add(lane.id);
        lanes.push(lane);
      }
    }
    return lanes.sort((a, b) => a.partition - b.partition);
  }

  latest(lane: string): LanePicture | undefined {
    return this.#feedOf(lane)?.latest(lane);
  }

  subscribe(listener: (picture: LanePicture) => void, passive = false): () => void {
    const ends = this.#feeds.map((feed) => feed.subscribe(listener, passive));
    return () => ends.forEach((end) => end());
  }

  progress(): readonly StreamingQueryProgress[] {
    return this.#feeds.flatMap((feed) => feed.progress());
  }

  history(lane: string): { progress: readonly StreamingQueryProgress[]; plan: string } {
    return this.#feedOf(lane)?.history(lane) ?? { progress: [], plan: "" };
  }

  demand(lanes: ReadonlySet<string>): void {
    for (const feed of this.#feeds) {
      if ("demand" in feed) (feed as DemandFeed).demand(lanes);
    }
  }

  async refresh(lane: string): Promise<LanePicture | undefined> {
    const feed = this.#feedOf(lane);
    if (feed !== undefined && "refresh" in feed) return await (feed as DemandFeed).refresh(lane);
    return feed?.latest(lane);
  }

  #feedOf(lane: string): LaneFeed | undefined {
    const known = this.#owners.get(lane);
    if (known !== undefined) return known;
    const owner = this.#feeds.find((feed) => feed.lanes().some(({ id }) => id === lane));
    if (owner !== undefined) this.#owners.set(lane, owner);
    return owner;
  }
}
