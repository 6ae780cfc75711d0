// Fetches all partitions that one broker leads.
//
// One request covers all partitions and waits at the broker for the next frame. A partition that is
// added meanwhile (opened, or with room again) is fetched over another connection until that request
// returns.
import { type Clock, systemClock } from "../../../base/clock.ts";
import { Backoff, pause } from "../../../base/wait.ts";
import type { Connection } from "../net/connection.ts";
import { ThrottledError } from "../protocol/errors.ts";
import { type FetchedPartition, fetchPartitions } from "./fetch.ts";
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
const RESPONSE_BYTES = 8 * 1024 * 1024;

export interface FetchHandler {
  /** The readers are of one partition, at the same offset. */
  fetched(readers: readonly BufferedPartition[], fetched: FetchedPartition | undefined): void;
  readonly rack: () => string | undefined;
  /** A connection to the broker. */
  readonly connect: (channel: number) => Promise<Connection>;
  /** Ends pauses. */
  readonly closing: AbortSignal;
  /** The whole request failed. */
  failed(readers: readonly BufferedPartition[], error: unknown): void;
}

/** Readers of a partition at the same offset share its data. */
type Groups = readonly (readonly BufferedPartition[])[];

/** The fetch loop of one broker. */
export class Fetcher {
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

  constructor(handler: FetchHandler, clock: Clock = systemClock) {
    this.#handler = handler;
    this.#clock = clock;
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
    const groups = sharing(ready);
    for (const same of groups) for (const reader of same) reader.startFetch();
    void this.#fetch(channel, wait, groups);
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

  async #fetch(channel: number, maxWaitMs: number, groups: Groups): Promise<void> {
    const { closing } = this.#handler;
    try {
      const connection = await this.#handler.connect(channel);
      const sent = this.#clock.monotonic();
      const rack = this.#handler.rack();
      const bounds = { maxWaitMs, maxBytes: RESPONSE_BYTES, rack };
      const fetched = await fetchPartitions(connection, groups.map(([first]) => first!), bounds);
      const early = this.#clock.monotonic() - sent < maxWaitMs / 2;
      this.#deliver(groups, fetched);
      if (early && fetched.every(isEmpty)) await pause(this.#empty.next(), closing, this.#clock);
      else this.#empty.reset();
    } catch (error) {
      if (error instanceof ThrottledError) await pause(error.ms, closing, this.#clock);
      else this.#handler.failed(groups.flat().filter(({ isClosed }) => !isClosed), error);
    } finally {
      this.#finish(channel, groups);
    }
  }

  #deliver(groups: Groups, fetched: readonly (FetchedPartition | undefined)[]): void {
    // Some brokers leave partitions out of a full response.
    const mayLack = fetched.some((one) => one !== undefined && one.batches.length > 0);
    for (let index = 0; index < groups.length; index++) {
      const one = fetched[index];
      const current = groups[index]!.filter(({ awaitsFetch }) => awaitsFetch);
      if (current.length > 0 && (one !== undefined || !mayLack)) {
        this.#handler.fetched(current, one);
      }
    }
  }

  #finish(channel: number, groups: Groups): void {
    for (const same of groups) for (const reader of same) reader.inFlight = false;
    this.#channels[channel] = undefined;
    this.wake();
  }
}

/** Without those that need another request, since they are at another offset. */
function sharing(readers: readonly BufferedPartition[]): Groups {
  if (readers.length === 1) return [[readers[0]!]];
  const groups = new Map<string, BufferedPartition[]>();
  for (const reader of readers) {
    const same = groups.get(reader.key);
    if (same === undefined) groups.set(reader.key, [reader]);
    else if (same[0]!.offset === reader.offset && same[0]!.topicId === reader.topicId) {
      same.push(reader);
    }
  }
  return [...groups.values()];
}

/** Neither records nor an error nor another replica. */
function isEmpty(one: FetchedPartition | undefined): boolean {
  return one !== undefined && one.batches.length === 0 && one.errorCode === 0 && !one.diverged &&
    one.preferredReplica < 0;
}
