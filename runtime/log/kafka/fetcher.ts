/**
 * Fetches from one broker for all partitions that it leads.
 *
 * One request asks for all partitions at once and waits at the broker for whichever gets a frame
 * first. A partition that joins meanwhile (just opened, or its buffer has room again) cannot enter a
 * request that is under way; it goes over a connection of its own until that one has returned, and
 * then with the others again.
 *
 * @module
 */
import { systemClock } from "../../base/clock.ts";
import type { Broker } from "./address.ts";
import type { Cluster } from "./cluster.ts";
import type { PartitionFeed } from "./partition_reader.ts";
import { type FetchedPart, type FetchPart, fetchParts } from "./requests/fetch.ts";

/** How long a request waits at the broker for the next frame. */
const MAX_WAIT_MS = 500;
/** The first wait after a partition had to go its own way, doubled while none has to. */
const MIN_WAIT_MS = 10;
/** Connections to one broker. */
const LANES = 6;
/** The wait of the last lane: what comes when all are taken waits so long at most. */
const LAST_LANE_WAIT_MS = 25;
/**
 * With many partitions frames come at any moment, and each request names all of them: requests follow
 * one another by half a millisecond for each partition, so that one brings several frames.
 */
const PACED_FROM = 16;
const PACE_MS = 0.5;
const MAX_PACE_MS = 20;
/** Of one partition, of one answer. */
const PART_BYTES = 2 * 1024 * 1024;
const ANSWER_BYTES = 8 * 1024 * 1024;

/** What happens with what was fetched. */
export interface FetchHandler {
  /** An answer for partitions that were asked for at one offset. */
  fetched(feeds: readonly PartitionFeed[], part: FetchedPart): void;
  /** The broker did not answer, or not in the way that was expected. */
  failed(feeds: readonly PartitionFeed[], error: unknown): void;
}

/** The fetch loop of one broker. */
export class Fetcher {
  readonly #cluster: Cluster;
  readonly #broker: Broker;
  readonly #name: string;
  readonly #handler: FetchHandler;
  readonly #feeds = new Set<PartitionFeed>();
  /** When the request of a lane will have returned at the latest; undefined when it is free. */
  readonly #lanes: (number | undefined)[] = new Array(LANES).fill(undefined);
  #wait = MIN_WAIT_MS;
  #scheduled = false;
  /** When the last request went out, and what waits for the next one to be due. */
  #sent = -Infinity;
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** Where the last request began: answers are bounded, so everybody must come first once. */
  #turn = 0;

  constructor(cluster: Cluster, broker: Broker, name: string, handler: FetchHandler) {
    this.#cluster = cluster;
    this.#broker = broker;
    this.#name = name;
    this.#handler = handler;
  }

  add(feed: PartitionFeed): void {
    this.#feeds.add(feed);
    this.wake();
  }

  delete(feed: PartitionFeed): void {
    this.#feeds.delete(feed);
    if (this.#feeds.size > 0) return;
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  get size(): number {
    return this.#feeds.size;
  }

  /** Looks, soon, whether something can be asked for. */
  wake(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    // After all that happens in this turn of the event loop, so that it goes in one request.
    queueMicrotask(() => {
      this.#scheduled = false;
      this.#pump();
    });
  }

  #pump(): void {
    const ready = [...this.#feeds].filter((feed) => !feed.inFlight && feed.room !== undefined);
    if (ready.length === 0) return;
    const lane = this.#lanes.indexOf(undefined);
    if (lane < 0) return;
    const now = systemClock.monotonic();
    if (this.#early(now)) return;
    this.#sent = now;
    let wait: number;
    if (lane === 0) {
      wait = this.#wait;
      this.#wait = Math.min(2 * this.#wait, MAX_WAIT_MS);
    } else {
      this.#wait = MIN_WAIT_MS;
      wait = lane === LANES - 1
        ? LAST_LANE_WAIT_MS
        : Math.max(MIN_WAIT_MS, Math.ceil(this.#lanes[0] === undefined ? 0 : this.#lanes[0] - now));
    }
    const start = this.#turn++ % ready.length;
    const feeds = [...ready.slice(start), ...ready.slice(0, start)];
    this.#lanes[lane] = now + wait;
    this.#fetch(lane, wait, feeds).then(() => {
      this.#lanes[lane] = undefined;
      this.wake();
    });
  }

  /** Whether the next request is not due yet; it goes out by itself when it is. */
  #early(now: number): boolean {
    const { size } = this.#feeds;
    const left = this.#sent + Math.min(size * PACE_MS, MAX_PACE_MS) - now;
    if (size < PACED_FROM || left < 1) return false;
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.#pump();
    }, left);
    return true;
  }

  async #fetch(lane: number, maxWaitMs: number, feeds: PartitionFeed[]): Promise<void> {
    // Readers of the same partition share a fetch where they are at the same place; one that is
    // elsewhere needs a request of its own.
    const asked = new Map<string, PartitionFeed[]>();
    const versions = new Map<PartitionFeed, number>();
    for (const feed of feeds) {
      const key = `${feed.topicId}/${feed.partition}`;
      const same = asked.get(key);
      if (same === undefined) asked.set(key, [feed]);
      else if (same[0]!.next === feed.next) same.push(feed);
      else continue;
      feed.inFlight = true;
      versions.set(feed, feed.version);
    }
    const left = feeds.length > versions.size;
    if (left) this.wake();
    const parts = [...asked.values()].map((same) => partOf(same));
    const taking = [...versions.keys()];
    try {
      const connection = await this.#cluster.connections.get(
        this.#broker,
        `${this.#name}${lane}`,
        MAX_WAIT_MS,
      );
      const answer = await fetchParts(connection, parts, { maxWaitMs, maxBytes: ANSWER_BYTES });
      for (const feed of taking) feed.inFlight = false;
      if (answer.errorCode !== 0) throw new Error(`Fetch failed with error ${answer.errorCode}`);
      for (const part of answer.parts) {
        const same = asked.get(`${part.topicId}/${part.partition}`) ?? [];
        const current = same.filter((feed) =>
          versions.get(feed) === feed.version && !feed.isClosed
        );
        if (current.length > 0) this.#handler.fetched(current, part);
      }
    } catch (error) {
      for (const feed of taking) feed.inFlight = false;
      this.#handler.failed(taking.filter((feed) => !feed.isClosed), error);
    }
  }
}

function partOf(same: readonly PartitionFeed[]): FetchPart {
  const feed = same[0]!;
  const room = Math.max(...same.map((one) => one.room?.bytes ?? 0));
  return {
    topicId: feed.topicId,
    partition: feed.partition,
    offset: feed.next,
    leaderEpoch: feed.leader?.epoch ?? -1,
    fetchedEpoch: feed.fetchedEpoch,
    maxBytes: Math.max(1, Math.min(room, PART_BYTES)),
  };
}
