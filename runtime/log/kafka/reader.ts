/**
 * Reads any number of partitions, each from the broker that leads it, whatever happens to brokers.
 *
 * @module
 */
import { systemClock } from "../../base/clock.ts";
import { LogError, type LogReader, type PartitionReader, type ReaderOptions } from "../log.ts";
import { brokerName } from "./address.ts";
import { protocolErrorsCodesById } from "./client.ts";
import { type Cluster, missing } from "./cluster.ts";
import { Fetcher } from "./fetcher.ts";
import { type Bounds, PartitionFeed } from "./partition_reader.ts";
import { decodeBatches } from "./record_decoder.ts";
import type { FetchedPart } from "./requests/fetch.ts";
import { offsetRange } from "./topics.ts";

const FIRST_DELAY_MS = 20;
const MAX_DELAY_MS = 1_000;
/** A topic that has been missing for so long is gone; before that a broker may not have heard of it. */
const GONE_AFTER_MS = 1_000;
let readers = 0;

/** `LogReader` on Kafka. */
export class KafkaReader implements LogReader {
  readonly #cluster: Cluster;
  readonly #bounds: Bounds;
  /** Begins the names of this reader's connections. */
  readonly #name = `fetch-${++readers}-`;
  readonly #fetchers = new Map<string, Fetcher>();
  readonly #feeds = new Map<PartitionFeed, Fetcher | undefined>();
  readonly #ended = new AbortController();
  readonly #onClose: (reader: KafkaReader) => void;

  constructor(cluster: Cluster, options: ReaderOptions, onClose: (reader: KafkaReader) => void) {
    const { maxBufferedFrames = 256, maxBufferedBytes = 16 * 1024 * 1024 } = options;
    if (!(maxBufferedFrames >= 1) || !(maxBufferedBytes >= 1)) {
      throw new LogError(
        "INVALID",
        `Cannot buffer ${maxBufferedFrames} frames of ${maxBufferedBytes} bytes: expected 1 or more`,
      );
    }
    this.#cluster = cluster;
    this.#bounds = { frames: maxBufferedFrames, bytes: maxBufferedBytes };
    this.#onClose = onClose;
  }

  async open(topic: string, partition: number, offset: number): Promise<PartitionReader> {
    const action = `Cannot read ${topic} partition ${partition}`;
    this.#throwIfClosed(action);
    if (!Number.isInteger(offset) || offset < 0) {
      throw new LogError("INVALID", `${action} from offset ${offset}: expected 0 or more`);
    }
    const leader = await this.#cluster.attempt(
      action,
      () => this.#cluster.leader(topic, partition),
    );
    this.#throwIfClosed(action);
    const feed = new PartitionFeed(this, this.#bounds, {
      topic,
      partition,
      offset,
      leader,
      epochs: this.#cluster.epochs,
    });
    this.#attach(feed);
    return feed;
  }

  #throwIfClosed(action: string): void {
    if (this.#ended.signal.aborted) {
      throw new LogError("CLOSED", `${action}: the reader is closed`);
    }
  }

  /** There is room again in a partition's buffer, or it was sent elsewhere. */
  changed(feed: PartitionFeed): void {
    const fetcher = this.#feeds.get(feed);
    if (fetcher !== undefined) fetcher.wake();
    else if (this.#feeds.has(feed) && !feed.searching) this.#lookUp(feed);
  }

  /** A partition was closed. */
  closed(feed: PartitionFeed): void {
    this.#feeds.get(feed)?.delete(feed);
    this.#feeds.delete(feed);
  }

  async close(): Promise<void> {
    if (this.#ended.signal.aborted) return;
    this.#ended.abort();
    await Promise.all([...this.#feeds.keys()].map((feed) => feed.close()));
    await this.#cluster.connections.drop(this.#name);
    this.#onClose(this);
  }

  #attach(feed: PartitionFeed): void {
    const { broker, brokerId } = feed.leader!;
    const key = `${brokerId} ${brokerName(broker)}`;
    let fetcher = this.#fetchers.get(key);
    if (fetcher === undefined) {
      fetcher = new Fetcher(this.#cluster, broker, this.#name, {
        fetched: (feeds, part) => this.#fetched(feeds, part),
        failed: (feeds) => {
          for (const one of feeds) this.#lost(one);
        },
      });
      this.#fetchers.set(key, fetcher);
    }
    this.#feeds.set(feed, fetcher);
    fetcher.add(feed);
  }

  #detach(feed: PartitionFeed): void {
    this.#feeds.get(feed)?.delete(feed);
    this.#feeds.set(feed, undefined);
    for (const [key, fetcher] of this.#fetchers) {
      if (fetcher.size === 0) this.#fetchers.delete(key);
    }
  }

  #fetched(feeds: readonly PartitionFeed[], part: FetchedPart): void {
    const [feed] = feeds as [PartitionFeed];
    const { topic, partition, next: from } = feed;
    const name = protocolErrorsCodesById[part.errorCode];
    if (part.diverged || name === "OFFSET_OUT_OF_RANGE") {
      for (const one of feeds) this.#outOfRange(one, part.diverged);
    } else if (part.errorCode !== 0) {
      for (const one of feeds) this.#lost(one);
    } else {
      const rooms = feeds.map((one) => one.room ?? { frames: 1, bytes: 1 });
      const limit = {
        frames: Math.max(...rooms.map(({ frames }) => frames)),
        bytes: Math.max(...rooms.map(({ bytes }) => bytes)),
      };
      try {
        const decoded = decodeBatches(part.records, {
          topic,
          partition,
          from,
          aborted: part.aborted,
          limit,
        });
        for (const one of feeds) {
          one.status = "reading";
          one.failures = 0;
          one.fill(decoded, part.lastStableOffset);
        }
      } catch (error) {
        const failure = error instanceof LogError ? error : new LogError(
          "INTERNAL",
          `Cannot read ${topic} partition ${partition} at offset ${from}: ${
            (error as Error).message
          }`,
          { cause: error },
        );
        for (const one of feeds) one.fail(failure);
      }
    }
  }

  /** Says which offsets there are, to whoever asked for others. */
  async #outOfRange(feed: PartitionFeed, diverged: boolean): Promise<void> {
    const { version, topic, partition, next } = feed;
    this.#detach(feed);
    await this.#persist(feed, async () => {
      const range = await offsetRange(this.#cluster, topic, partition);
      const leader = await this.#cluster.leader(topic, partition, true);
      // What was asked for may have come into being meanwhile, or somebody seeks elsewhere.
      const there = !diverged && next >= range.earliest && next <= range.latest;
      if (diverged) this.#cluster.epochs.forget(topic, partition);
      if (feed.version === version && !there) {
        feed.latest = range.latest;
        feed.fail(
          outOfRange(feed, range, diverged ? "its log was cut short and written anew" : ""),
        );
      }
      this.#resume(feed, leader);
    });
  }

  /** A fetch went wrong: the broker is away, or leads the partition no more. */
  #lost(feed: PartitionFeed): void {
    feed.failures++;
    if (!feed.searching && this.#feeds.get(feed) !== undefined) this.#lookUp(feed);
  }

  /** Finds the partition's leader again, however long that takes. */
  async #lookUp(feed: PartitionFeed): Promise<void> {
    this.#detach(feed);
    const { topic, partition } = feed;
    let missingSince: number | undefined;
    await this.#persist(feed, async () => {
      const metadata = await this.#cluster.topic(topic, true);
      if (metadata?.leaders[partition] === undefined) {
        missingSince ??= systemClock.monotonic();
        const gone = missing(topic, partition, metadata);
        if (systemClock.monotonic() - missingSince < GONE_AFTER_MS) throw gone;
        feed.fail(gone);
        return;
      }
      missingSince = undefined;
      const leader = await this.#cluster.leader(topic, partition);
      if (leader.topicId !== feed.topicId) {
        // Another topic of the same name: its offsets have nothing to do with those read so far.
        this.#cluster.epochs.forget(topic, partition);
        const range = await offsetRange(this.#cluster, topic, partition);
        feed.latest = range.latest;
        feed.fail(outOfRange(feed, range, "the topic was deleted and made again"));
      }
      this.#resume(feed, leader);
    });
  }

  #resume(feed: PartitionFeed, leader: NonNullable<PartitionFeed["leader"]>): void {
    feed.leader = leader;
    feed.topicId = leader.topicId;
    this.#attach(feed);
  }

  /** Tries until it works or the partition is closed. */
  async #persist(feed: PartitionFeed, step: () => Promise<void>): Promise<void> {
    feed.searching = true;
    // The first failure may be a leader that has moved: looked up at once. Then it gets slower.
    for (let delay = feed.failures > 1 ? backoff(feed.failures) : 0;;) {
      await pause(delay, this.#ended.signal);
      if (feed.isClosed || this.#ended.signal.aborted) return;
      try {
        feed.searching = true;
        await step();
        feed.searching = false;
        return;
      } catch (error) {
        if (this.#cluster.closing.aborted) return;
        feed.status = "waiting-for-log";
        delay = backoff(++feed.failures);
        if (error instanceof LogError && error.code === "AUTHENTICATION_FAILED") {
          feed.searching = false;
          feed.fail(error);
          return;
        }
      }
    }
  }
}

function backoff(failures: number): number {
  return Math.min(FIRST_DELAY_MS * 2 ** Math.min(failures, 10), MAX_DELAY_MS);
}

function outOfRange(
  feed: PartitionFeed,
  range: { earliest: number; latest: number },
  why: string,
): LogError {
  return new LogError(
    "OFFSET_OUT_OF_RANGE",
    `Cannot read ${feed.topic} partition ${feed.partition} at offset ${feed.next}: it holds ${range.earliest} to ${range.latest}${
      why === "" ? "" : `, ${why}`
    }`,
    { range },
  );
}

/** Like a sleep, but returns when it is aborted. */
function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    if (signal.aborted) done();
    else signal.addEventListener("abort", done, { once: true });
  });
}
