// State shared by all viewers: a feed subscription, a timer, cached messages.
import { type Clock, monotonicOf } from "../runtime/base/clock.ts";
import type { Demand, Lane, LaneFeed, LanePicture } from "../runtime/lanes.ts";
import { given } from "../runtime/base/options.ts";
import { pause, waitAtMost } from "../runtime/base/wait.ts";
import { maskSecrets } from "../runtime/base/mask.ts";
import { maySee, type Visitor } from "./access.ts";
import type { LaneView, ServerMessage } from "./protocol.ts";
import { Pace } from "./pace.ts";
import { Scaler } from "./scaler.ts";

/** Called for each new picture. Must return quickly. */
export type PictureListener = (picture: LanePicture) => void;

/**
 * A lane is stalled after this time without frames, or after several times its usual interval. A lane without
 * viewers is only checked every few seconds.
 */
const STALL_MS = 2_000;
const UNWATCHED_STALL_MS = 5_000;
const STALL_INTERVALS = 6;

/** Longest wait for measurements, milliseconds. */
const MEASURE_MS = 1_000;

/** Longest wait for a new picture, milliseconds: that of a long group of pictures. */
const PICTURE_MS = 1_000;

/** Interval of state messages to pages, milliseconds. */
export const TICK_MS = 500;

/** Connects a feed with any number of viewers. */
export class Hub {
  readonly feed: LaneFeed;
  readonly clock: Clock;
  readonly scaler = new Scaler();
  readonly pace = new Pace();
  readonly #listeners = new Map<string, Map<PictureListener, Demand>>();
  readonly #tickers = new Set<() => void>();
  readonly #intervals = new Map<string, { timestamp: number; interval: number }>();
  /** The lanes' `lastFrameArrival`, and the same as monotonic times. */
  readonly #arrivals = new Map<string, { arrival: number; at: number }>();
  /** Pictures that no other followed in time, with the lane's `lastFrameTimestamp` then. */
  readonly #last = new WeakMap<LanePicture, number>();
  readonly #states = new WeakMap<Visitor, { at: number; text: string }>();
  #unsubscribe: (() => void) | undefined;
  #ticking: AbortController | undefined;
  #watched = 0;
  #demanded = "[]";
  #closed = false;

  constructor(feed: LaneFeed, clock: Clock) {
    this.feed = feed;
    this.clock = clock;
  }

  /** The lanes that a visitor may see, with additions for the page. */
  lanes(visitor: Visitor): LaneView[] {
    return this.feed.lanes().filter((lane) => maySee(visitor, lane.partition)).map((lane) => {
      const exception = lane.exception && maskSecrets(lane.exception);
      return { ...lane, ...given({ stalledSince: this.#stalledSince(lane), exception }) };
    });
  }

  /** Updates the measurements in `lanes`; returns after a while even if the log does not answer. */
  async measure(): Promise<void> {
    const measured = this.feed.measure?.();
    if (measured !== undefined) await waitAtMost(MEASURE_MS, measured, this.clock);
  }

  /** Why the log cannot be read, without secrets. */
  get problem(): string | undefined {
    return this.feed.problem && maskSecrets(this.feed.problem);
  }

  /** The state of the lanes as a message for pages, cached per visitor. */
  stateMessage(visitor: Visitor): string {
    const at = this.clock.monotonic();
    const known = this.#states.get(visitor);
    if (known !== undefined && at - known.at < TICK_MS / 4) return known.text;
    const message: ServerMessage = {
      type: "lanes",
      now: this.clock.now(),
      lanes: this.lanes(visitor),
      ...given({ problem: this.problem }),
    };
    const text = JSON.stringify(message);
    this.#states.set(visitor, { at, text });
    return text;
  }

  /** The lane, if it exists and the visitor may see it. */
  lane(id: string, visitor: Visitor): Lane | undefined {
    return this.feed.lanes().find((lane) => lane.id === id && maySee(visitor, lane.partition));
  }

  /** The newest picture of a lane, for one-time requests. */
  async newest(lane: Lane): Promise<LanePicture | undefined> {
    const newest = await this.feed.refresh?.(lane.id) ?? this.feed.latest(lane.id);
    const { lastFrameTimestamp = -Infinity } = lane;
    // A lane of video without viewers decodes few pictures.
    if (
      newest?.video === undefined || newest.timestamp >= lastFrameTimestamp ||
      this.#last.get(newest) === lastFrameTimestamp
    ) return newest;
    const next = await this.#after(newest);
    if (next === newest) this.#last.set(newest, lastFrameTimestamp);
    return next;
  }

  /** The lane's next picture, or after a while the given one. */
  async #after(picture: LanePicture): Promise<LanePicture> {
    let next = picture;
    const came = Promise.withResolvers<void>();
    const stop = this.listen(picture.lane, (one) => {
      if (one.bytes === picture.bytes) return; // a result alone
      next = one;
      came.resolve();
    });
    await waitAtMost(PICTURE_MS, came.promise, this.clock);
    stop();
    return next;
  }

  /** Calls `listener` for pictures or results of a lane, until the returned function is called. */
  listen(lane: string, listener: PictureListener, demand: Demand = "pictures"): () => void {
    let listeners = this.#listeners.get(lane);
    if (listeners === undefined) this.#listeners.set(lane, listeners = new Map());
    listeners.set(listener, demand);
    if (demand === "pictures") this.#watch(1);
    this.#demandChanged();
    return () => {
      listeners.delete(listener);
      if (demand === "pictures") this.#watch(-1);
      if (listeners.size === 0) this.#listeners.delete(lane);
      this.#demandChanged();
    };
  }

  /** Minimum interval between pictures of a tile, milliseconds; 0 while there is time for all. */
  get interval(): number {
    return this.pace.interval(this.#watched);
  }

  /** Number of connected pages. */
  get pages(): number {
    return this.#tickers.size;
  }

  /** Calls `listener` twice a second, until the returned function is called. */
  onTick(listener: () => void): () => void {
    this.#tickers.add(listener);
    if (this.#ticking === undefined && !this.#closed) {
      this.#ticking = new AbortController();
      void this.#tick(this.#ticking.signal);
    }
    return () => {
      this.#tickers.delete(listener);
      if (this.#tickers.size === 0) {
        this.#ticking?.abort();
        this.#ticking = undefined;
      }
    };
  }

  close(): void {
    this.#closed = true;
    this.#tickers.clear();
    this.#ticking?.abort();
    this.#ticking = undefined;
    this.#listeners.clear();
    this.#watch(-this.#watched);
    this.#demandChanged();
    this.scaler.close();
  }

  #watch(more: number): void {
    this.#watched += more;
    if (this.#watched > 0) this.pace.start();
    else this.pace.stop();
  }

  #demandChanged(): void {
    if (this.#listeners.size > 0) {
      this.#unsubscribe ??= this.feed.subscribe((picture) => this.#deliver(picture));
    } else {
      this.#unsubscribe?.();
      this.#unsubscribe = undefined;
    }
    const wanted = new Map<string, Demand>();
    for (const [lane, listeners] of this.#listeners) {
      wanted.set(lane, [...listeners.values()].includes("pictures") ? "pictures" : "results");
    }
    const text = JSON.stringify([...wanted]);
    if (text === this.#demanded) return;
    this.#demanded = text;
    this.feed.demand?.(wanted);
  }

  #deliver(picture: LanePicture): void {
    const known = this.#intervals.get(picture.lane);
    if (known === undefined) {
      this.#intervals.set(picture.lane, { timestamp: picture.timestamp, interval: 0 });
    } else {
      const interval = Math.max(0, picture.timestamp - known.timestamp);
      known.timestamp = picture.timestamp;
      // Long pauses are what the interval must detect, so they do not count towards it.
      if (known.interval === 0) known.interval = Math.min(interval, 60_000);
      else if (interval < known.interval * 4) known.interval += (interval - known.interval) / 8;
    }
    const listeners = this.#listeners.get(picture.lane);
    if (listeners !== undefined) { for (const listener of listeners.keys()) listener(picture); }
  }

  #stalledSince({ id, state, lastFrameArrival: arrival }: Lane): number | undefined {
    if (arrival === undefined) return undefined;
    let last = this.#arrivals.get(id);
    if (last?.arrival !== arrival) {
      const at = Math.min(this.clock.monotonic(), monotonicOf(this.clock, arrival));
      this.#arrivals.set(id, last = { arrival, at });
    }
    if (state !== "running") return undefined;
    const interval = this.#intervals.get(id)?.interval ?? 0;
    const watched = interval > 0 && this.#listeners.has(id);
    const least = watched ? STALL_MS : UNWATCHED_STALL_MS;
    const patience = Math.max(least, interval * STALL_INTERVALS);
    const silence = this.clock.monotonic() - last.at;
    return silence > patience ? Math.round(this.clock.now() - silence) : undefined;
  }

  async #tick(signal: AbortSignal): Promise<void> {
    while (await pause(TICK_MS, signal, this.clock)) {
      const lanes = new Set(this.feed.lanes().map((lane) => lane.id));
      for (const known of [this.#intervals, this.#arrivals]) {
        for (const id of known.keys()) if (!lanes.has(id)) known.delete(id);
      }
      void this.feed.measure?.();
      for (const ticker of this.#tickers) ticker();
    }
  }
}
