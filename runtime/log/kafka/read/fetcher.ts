// Fetches from one broker for all partitions that it leads.
//
// One request asks for all partitions at once and waits at the broker until one of them gets a
// frame. A partition that joins meanwhile (just opened, or its buffer has room again) cannot enter a
// request that is under way; it goes over a connection of its own until that one has returned, and
// then with the others again.
import { type Clock, systemClock } from "../../../base/clock.ts";
import { Backoff } from "../../../base/wait.ts";
import type { Broker } from "../net/address.ts";
import type { Cluster } from "../net/cluster.ts";
import { ThrottledError } from "../protocol/errors.ts";
import type { FetchedPartition } from "../protocol/records.ts";
import { type FetchPartition, fetchPartitions } from "./fetch.ts";
import type { BufferedPartition } from "./partition_reader.ts";

/** How long a request waits at the broker for the next frame. */
const MAX_WAIT_MS = 500;
/** The first wait after a partition had to go its own way, doubled while none has to. */
const MIN_WAIT_MS = 10;
/** Connections to one broker. */
const CHANNELS = 6;
/** Longest wait of a fetch on the last free channel: when all are taken, later work waits this long at most. */
const LAST_CHANNEL_WAIT_MS = 25;
/**
 * With many partitions frames come at any moment, and each request names all of them: requests follow
 * one another by half a millisecond for each partition, so that one brings several frames.
 */
const PACED_FROM = 16;
const PACE_MS = 0.5;
const MAX_PACE_MS = 20;
/** Largest share of a response for one partition. A batch that is cut off at its end is discarded. */
const PARTITION_BYTES = 4 * 1024 * 1024;
const RESPONSE_BYTES = 8 * 1024 * 1024;

/** What happens with what was fetched. */
export interface FetchHandler {
  /** A response for readers of one partition, at one offset. */
  fetched(readers: readonly BufferedPartition[], fetched: FetchedPartition): void;
  /** Where this client is, if replicas there are to be read. */
  readonly rack: () => string | undefined;
  /** The broker did not answer, or refused the whole request. */
  failed(readers: readonly BufferedPartition[], error: unknown): void;
}

/** The fetch loop of one broker. */
export class Fetcher {
  readonly #cluster: Cluster;
  readonly #broker: Broker;
  readonly #name: string;
  readonly #handler: FetchHandler;
  readonly #clock: Clock;
  /** Between requests that a broker answers with nothing, at once instead of at the end of their wait. */
  readonly #empty = new Backoff({ minDelayMs: MIN_WAIT_MS, maxDelayMs: MAX_WAIT_MS });
  readonly #readers = new Set<BufferedPartition>();
  /** When the request of a channel will have returned at the latest; undefined when it is free. */
  readonly #channels: (number | undefined)[] = new Array(CHANNELS).fill(undefined);
  #wait = MIN_WAIT_MS;
  #scheduled = false;
  /** When the last request went out, and what waits for the next one to be due. */
  #sent = -Infinity;
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** Where the last request began: responses are limited, so each partition must come first at times. */
  #turn = 0;

  constructor(
    cluster: Cluster,
    broker: Broker,
    name: string,
    handler: FetchHandler,
    clock: Clock = systemClock,
  ) {
    this.#clock = clock;
    this.#cluster = cluster;
    this.#broker = broker;
    this.#name = name;
    this.#handler = handler;
  }

  add(reader: BufferedPartition): void {
    this.#readers.add(reader);
    this.wake();
  }

  delete(reader: BufferedPartition): void {
    this.#readers.delete(reader);
    if (this.#readers.size > 0) return;
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  get size(): number {
    return this.#readers.size;
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
    const ready = [...this.#readers].filter((reader) =>
      !reader.inFlight && reader.room !== undefined
    );
    if (ready.length === 0) return;
    const channel = this.#channels.indexOf(undefined);
    if (channel < 0) return;
    const now = this.#clock.monotonic();
    if (this.#early(now)) return;
    this.#sent = now;
    let wait: number;
    if (channel === 0) {
      wait = this.#wait;
      this.#wait = Math.min(2 * this.#wait, MAX_WAIT_MS);
    } else {
      this.#wait = MIN_WAIT_MS;
      wait = channel === CHANNELS - 1 ? LAST_CHANNEL_WAIT_MS : Math.max(
        MIN_WAIT_MS,
        Math.ceil(this.#channels[0] === undefined ? 0 : this.#channels[0] - now),
      );
    }
    const start = this.#turn++ % ready.length;
    const readers = [...ready.slice(start), ...ready.slice(0, start)];
    this.#channels[channel] = now + wait;
    this.#fetch(channel, wait, readers).then(() => {
      this.#channels[channel] = undefined;
      this.wake();
    });
  }

  /** Whether the next request is not due yet; it goes out by itself when it is. */
  #early(now: number): boolean {
    const { size } = this.#readers;
    const left = this.#sent + Math.min(size * PACE_MS, MAX_PACE_MS) - now;
    if (size < PACED_FROM || left < 1) return false;
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.#pump();
    }, left);
    return true;
  }

  async #fetch(channel: number, maxWaitMs: number, readers: BufferedPartition[]): Promise<void> {
    // Readers of the same partition share a fetch where they are at the same place; one that is
    // elsewhere needs a request of its own.
    const asked = new Map<string, BufferedPartition[]>();
    const versions = new Map<BufferedPartition, number>();
    for (const reader of readers) {
      const { key, topicId, next } = reader;
      const same = asked.get(key);
      if (same === undefined) asked.set(key, [reader]);
      else if (same[0]!.next === next && same[0]!.topicId === topicId) same.push(reader);
      else continue;
      reader.inFlight = true;
      versions.set(reader, reader.version);
    }
    const left = readers.length > versions.size;
    if (left) this.wake();
    const taking = [...versions.keys()];
    try {
      const rack = this.#handler.rack();
      const connection = await this.#cluster.connections.get(
        this.#broker,
        `${this.#name}${channel}`,
      );
      const groups = [...asked.values()];
      const sent = this.#clock.monotonic();
      const fetched = await fetchPartitions(connection, groups.map(wantedOf), {
        maxWaitMs,
        maxBytes: RESPONSE_BYTES,
        ...(rack === undefined ? {} : { rack }),
      });
      const early = this.#clock.monotonic() - sent < maxWaitMs / 2;
      for (const [index, same] of groups.entries()) {
        const one = fetched[index];
        const current = same.filter((reader) =>
          versions.get(reader) === reader.version && !reader.isClosed
        );
        if (one !== undefined && current.length > 0) this.#handler.fetched(current, one);
      }
      if (early && fetched.every(isEmpty)) await this.#pause(this.#empty.next());
      else this.#empty.reset();
    } catch (error) {
      if (error instanceof ThrottledError) await this.#pause(error.ms);
      else this.#handler.failed(taking.filter((reader) => !reader.isClosed), error);
    } finally {
      for (const reader of taking) reader.inFlight = false;
    }
  }

  /** Ends early with the cluster. */
  async #pause(ms: number): Promise<void> {
    await this.#clock.sleep(ms, this.#cluster.closing).catch(() => {});
  }
}

/** It brought nothing, not even an error or another place to read from. */
function isEmpty(one: FetchedPartition | undefined): boolean {
  return one === undefined ||
    one.batches.length === 0 && one.errorCode === 0 && !one.diverged && one.preferredReplica < 0;
}

function wantedOf(same: readonly BufferedPartition[]): FetchPartition {
  const reader = same[0]!;
  let room = 1;
  for (const one of same) room = Math.max(room, one.room?.bytes ?? 0);
  return {
    topic: reader.topic,
    topicId: reader.topicId,
    partition: reader.partition,
    offset: reader.next,
    leaderEpoch: reader.leader?.epoch ?? -1,
    fetchedEpoch: reader.fetchedEpoch,
    maxBytes: Math.min(room, PARTITION_BYTES),
    logStart: -1,
  };
}
