// Fetches all partitions that one broker leads.
//
// One request covers all partitions and waits at the broker for the next frame. A partition that is
// added meanwhile (opened, or with room again) is fetched over another connection until that request
// returns.
import { type Clock, systemClock } from "../../../base/clock.ts";
import { Backoff } from "../../../base/wait.ts";
import type { Broker } from "../net/address.ts";
import type { Cluster } from "../net/cluster.ts";
import { ThrottledError } from "../protocol/errors.ts";
import { type FetchedPartition, type FetchPartition, fetchPartitions } from "./fetch.ts";
import type { BufferedPartition } from "./partition_reader.ts";

/** How long a request waits at the broker for the next frame. */
const MAX_WAIT_MS = 500;
/** First wait after a partition needed another connection; doubles while none does. */
const MIN_WAIT_MS = 10;
/** Connections to one broker. */
const CHANNELS = 6;
/** Wait of a request on the last free connection, so that later partitions wait no longer than this. */
const LAST_CHANNEL_WAIT_MS = 25;
/** With many partitions requests are sent at intervals, so that one response contains several frames. */
const PACED_FROM = 16;
/** Interval for each partition. */
const PACE_MS = 0.5;
const MAX_PACE_MS = 20;
const PARTITION_BYTES = 4 * 1024 * 1024;
const RESPONSE_BYTES = 8 * 1024 * 1024;

export interface FetchHandler {
  /** The readers are of one partition, at the same offset. */
  fetched(readers: readonly BufferedPartition[], fetched: FetchedPartition): void;
  readonly rack: () => string | undefined;
  /** The whole request failed. */
  failed(readers: readonly BufferedPartition[], error: unknown): void;
}

/** The fetch loop of one broker. */
export class Fetcher {
  readonly #cluster: Cluster;
  readonly #broker: Broker;
  readonly #name: string;
  readonly #handler: FetchHandler;
  readonly #clock: Clock;
  /** Delays while the broker returns empty responses without waiting. */
  readonly #empty = new Backoff({ minDelayMs: MIN_WAIT_MS, maxDelayMs: MAX_WAIT_MS });
  readonly #readers = new Set<BufferedPartition>();
  /** When each connection's request returns at the latest; undefined when it is free. */
  readonly #channels: (number | undefined)[] = new Array(CHANNELS).fill(undefined);
  #wait = MIN_WAIT_MS;
  #scheduled = false;
  /** When the last request was sent. */
  #sent = -Infinity;
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** Rotates the partitions, since the size of responses is limited. */
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

  /** Sends a request if a partition has room. */
  wake(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    // All partitions that change in this turn of the event loop go in one request.
    queueMicrotask(() => {
      this.#scheduled = false;
      this.#pump();
    });
  }

  #pump(): void {
    const ready: BufferedPartition[] = [];
    for (const reader of this.#readers) {
      if (!reader.inFlight && reader.hasRoom) ready.push(reader);
    }
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
    if (start > 0) ready.push(...ready.splice(0, start));
    this.#channels[channel] = now + wait;
    void this.#fetch(channel, wait, sharing(ready));
    // Those that need another request.
    if (ready.some(({ inFlight }) => !inFlight)) this.wake();
  }

  /** Whether the next request must wait; if so, schedules it. */
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

  async #fetch(
    channel: number,
    maxWaitMs: number,
    groups: readonly (readonly BufferedPartition[])[],
  ): Promise<void> {
    for (const same of groups) for (const reader of same) reader.startFetch();
    try {
      const connection = await this.#cluster.connections.get(
        this.#broker,
        `${this.#name}${channel}`,
      );
      const sent = this.#clock.monotonic();
      const fetched = await fetchPartitions(connection, groups.map(partitionOf), {
        maxWaitMs,
        maxBytes: RESPONSE_BYTES,
        rack: this.#handler.rack(),
      });
      const early = this.#clock.monotonic() - sent < maxWaitMs / 2;
      for (let index = 0; index < groups.length; index++) {
        const one = fetched[index];
        const current = groups[index]!.filter(({ awaitsFetch }) => awaitsFetch);
        if (one !== undefined && current.length > 0) this.#handler.fetched(current, one);
      }
      if (early && fetched.every(isEmpty)) await this.#pause(this.#empty.next());
      else this.#empty.reset();
    } catch (error) {
      if (error instanceof ThrottledError) await this.#pause(error.ms);
      else this.#handler.failed(groups.flat().filter(({ isClosed }) => !isClosed), error);
    } finally {
      for (const same of groups) for (const reader of same) reader.inFlight = false;
      this.#channels[channel] = undefined;
      this.wake();
    }
  }

  async #pause(ms: number): Promise<void> {
    await this.#clock.sleep(ms, this.#cluster.closing).catch(() => {});
  }
}

/** Readers of a partition at the same offset, which share its data; others need another request. */
function sharing(readers: readonly BufferedPartition[]): BufferedPartition[][] {
  if (readers.length === 1) return [[readers[0]!]];
  const groups = new Map<string, BufferedPartition[]>();
  for (const reader of readers) {
    const same = groups.get(reader.key);
    if (same === undefined) groups.set(reader.key, [reader]);
    else if (same[0]!.next === reader.next && same[0]!.topicId === reader.topicId) {
      same.push(reader);
    }
  }
  return [...groups.values()];
}

/** Neither records nor an error nor another replica. */
function isEmpty(one: FetchedPartition | undefined): boolean {
  return one === undefined ||
    one.batches.length === 0 && one.errorCode === 0 && !one.diverged && one.preferredReplica < 0;
}

function partitionOf(same: readonly BufferedPartition[]): FetchPartition {
  const reader = same[0]!;
  let room = 1;
  for (const one of same) room = Math.max(room, one.room.bytes);
  return {
    topic: reader.topic,
    topicId: reader.topicId,
    partition: reader.partition,
    offset: reader.next,
    leaderEpoch: reader.leader?.epoch ?? -1,
    fetchedEpoch: reader.fetchedEpoch,
    maxBytes: Math.min(room, PARTITION_BYTES),
  };
}
