/**
 * Windows: ordered lists of frames of one partition, cut from the stream by count or by capture
 * time, resampled if a model wants another frame rate.
 *
 * The windows are a function of the frames and the options alone. How the frames came in batches,
 * where the process restarted and which executor ran it changes nothing: a restart goes back to
 * `restartPoint()`, whose small state says how the grid lay just before that frame.
 *
 * @module
 */
import type { Frame, Window } from "./frame.ts";
import { checkWindowOptions, type GapPolicy, type WindowOptions } from "./window_options.ts";

/** A point to start again from: the frame to read first, and the windower's state before it. */
export interface RestartPoint {
  readonly offset: number;
  readonly state: WindowerState;
}

/** The windower's state between two frames when no window is open. Plain numbers. */
export interface WindowerState {
  /** Samples since the grid began. */
  readonly samples: number;
  /** Frames since the grid began, for `every`. */
  readonly seen: number;
  /** Capture time where the grid began. */
  readonly origin: number | null;
  /** Last tick taken, for `fps`. */
  readonly tick: number;
  /** Capture time of the last frame. */
  readonly last: number | null;
  /** Windows that start before this sample (or time) are closed. */
  readonly closed: number;
  /** Highest capture time seen, for time windows. */
  readonly highest: number | null;
}

interface OpenWindow {
  /** Sample number or epoch time at which it starts. */
  readonly start: number;
  readonly frames: Frame[];
  broken: boolean;
  /** Pauses beyond `maxGapMs` and jumps of the camera's sequence numbers inside. */
  gaps: number;
}

/** Cuts one partition's frames into windows. */
export interface Windower {
  /** Takes the next frame in offset order; returns the windows that it completes. */
  push(frame: Frame): Window[];
  /**
   * True when `push` of this frame would take it as a sample. One that is not wanted may still be held
   * for ticks at which no frame comes.
   */
  wants(frame: Frame): boolean;
  /** Where a new windower must start to be where this one is; undefined when no window is open. */
  restartPoint(): RestartPoint | undefined;
  /** State after the last frame, for a start without open windows. */
  state(): WindowerState;
  /** Frames that open windows hold. */
  readonly held: number;
  /** Bytes of their images. */
  readonly heldBytes: number;
  /** Frames that came too late for any window. */
  readonly late: number;
}

/**
 * Makes a windower for one partition.
 *
 * @example
 * ```ts
 * import { createWindower } from "./window.ts";
 * const windower = createWindower({ frames: 16, hop: 8, fps: 8 });
 * console.assert(windower.restartPoint() === undefined);
 * ```
 */
export function createWindower(options: WindowOptions, state?: WindowerState): Windower {
  const checked = checkWindowOptions(options);
  return checked.frames !== undefined
    ? new CountWindower(checked, state)
    : new TimeWindower(checked, state);
}

const FRESH: WindowerState = {
  samples: 0,
  seen: 0,
  origin: null,
  tick: -1,
  last: null,
  closed: 0,
  highest: null,
};

abstract class BaseWindower implements Windower {
  protected samples: number;
  protected seen: number;
  protected origin: number | null;
  protected tick: number;
  protected last: number | null;
  protected closed: number;
  protected highest: number | null;
  protected open: OpenWindow[] = [];
  protected previous: Frame | undefined;
  late = 0;
  /** State before each frame that an open window may still need, by offset, oldest first. */
  readonly #before = new Map<number, WindowerState>();

  constructor(protected readonly options: WindowOptions, state: WindowerState = FRESH) {
    this.samples = state.samples;
    this.seen = state.seen;
    this.origin = state.origin;
    this.tick = state.tick;
    this.last = state.last;
    this.closed = state.closed;
    this.highest = state.highest;
  }

  get held(): number {
    return this.#before.size;
  }

  get heldBytes(): number {
    const frames = new Set(this.open.flatMap((window) => window.frames));
    return [...frames].reduce((sum, { value }) => sum + value.length, 0);
  }

  state(): WindowerState {
    const { samples, seen, origin, tick, last, closed, highest } = this;
    return { samples, seen, origin, tick, last, closed, highest };
  }

  push(frame: Frame): Window[] {
    const done: Window[] = [];
    const before = this.state();
    if (this.#isAfterPause(frame)) this.onGap(this.options.gap!, frame, done);
    if (this.previous !== undefined && missesBetween(this.previous, frame)) {
      for (const window of this.open) window.gaps++;
    }
    this.#before.set(frame.offset, before);
    this.last = frame.timestamp;
    this.origin ??= frame.timestamp;
    this.take(frame, done);
    this.previous = frame;
    this.#forget();
    return done;
  }

  wants(frame: Frame): boolean {
    const { fps, every = 1 } = this.options;
    if (this.origin === null || this.#isAfterPause(frame)) return true;
    return fps === undefined ? this.seen % every === 0 : this.#tickOf(frame, fps) > this.tick;
  }

  #isAfterPause({ timestamp }: Frame): boolean {
    const { maxGapMs } = this.options;
    return maxGapMs !== undefined && this.last !== null &&
      Math.abs(timestamp - this.last) > maxGapMs;
  }

  #tickOf({ timestamp }: Frame, fps: number): number {
    return Math.round((timestamp - this.origin!) * fps / 1000);
  }

  restartPoint(): RestartPoint | undefined {
    let oldest: number | undefined;
    for (const window of this.open) {
      const first = window.frames[0]?.offset;
      if (first !== undefined && (oldest === undefined || first < oldest)) oldest = first;
    }
    // A held frame may start the next window although no window has it yet.
    if (this.options.fps !== undefined && this.previous !== undefined) {
      oldest = Math.min(oldest ?? this.previous.offset, this.previous.offset);
    }
    if (oldest === undefined) return undefined;
    return { offset: oldest, state: this.#before.get(oldest)! };
  }

  #forget(): void {
    const keepFrom = this.restartPoint()?.offset ?? Infinity;
    for (const offset of this.#before.keys()) {
      if (offset >= keepFrom) break;
      this.#before.delete(offset);
    }
  }

  /** The samples that a frame brings: itself none, once or, held, the frame before it. */
  protected *sample(frame: Frame): Generator<Frame | undefined> {
    const { fps, every } = this.options;
    if (fps !== undefined) {
      const tick = this.#tickOf(frame, fps);
      if (tick <= this.tick) {
        if (frame.timestamp < this.highestTick(fps)) this.late++;
        return;
      }
      for (let missed = this.tick + 1; missed < tick; missed++) yield this.previous;
      this.tick = tick;
      yield frame;
    } else if (this.seen++ % (every ?? 1) === 0) yield frame;
  }

  private highestTick(fps: number): number {
    return this.origin! + (this.tick - 0.5) * 1000 / fps;
  }

  protected restartGrid(): void {
    this.open = [];
    this.previous = undefined;
    this.samples = 0;
    this.seen = 0;
    this.origin = null;
    this.tick = -1;
    this.closed = 0;
    this.highest = null;
  }

  protected finish(window: OpenWindow): Window {
    const first = window.frames[0]!;
    const last = window.frames.at(-1)!;
    return {
      topic: first.topic,
      partition: first.partition,
      key: last.key,
      frames: window.frames,
      firstOffset: first.offset,
      lastOffset: last.offset,
      firstTimestamp: first.timestamp,
      lastTimestamp: last.timestamp,
      gaps: window.gaps,
    };
  }

  protected abstract take(frame: Frame, done: Window[]): void;
  protected abstract onGap(policy: GapPolicy, next: Frame, done: Window[]): void;
}

/** Windows of a number of frames; window j holds the samples j·hop … j·hop + frames − 1. */
class CountWindower extends BaseWindower {
  readonly #frames = this.options.frames!;
  readonly #hop = this.options.hop ?? this.options.frames!;

  protected override take(frame: Frame, done: Window[]): void {
    for (const sample of this.sample(frame)) {
      const index = this.samples++;
      if (sample === undefined) continue;
      if (index % this.#hop === 0) {
        this.open.push({ start: index, frames: [], broken: false, gaps: 0 });
      }
      for (const window of this.open) window.frames.push(sample);
      const first = this.open[0];
      if (first !== undefined && index === first.start + this.#frames - 1) {
        this.open.shift();
        if (!first.broken) done.push(this.finish(first));
      }
    }
  }

  protected override onGap(policy: GapPolicy, next: Frame, done: Window[]): void {
    if (policy === "drop") {
      if (this.options.fps === undefined) {
        for (const window of this.open) window.broken = true;
      } else {
        // The pause counts as ticks without frames, so that later windows start where they would
        // have without it.
        const tick = Math.round((next.timestamp - this.origin!) * this.options.fps / 1000);
        const phase = (this.samples + Math.max(0, tick - this.tick - 1)) % this.#hop;
        this.restartGrid();
        this.samples = phase;
      }
      return;
    }
    if (policy === "pad") {
      for (const window of this.open) {
        const last = window.frames.at(-1)!;
        while (window.frames.length < this.#frames) window.frames.push(last);
        window.gaps++;
        done.push(this.finish(window));
      }
    }
    this.restartGrid();
  }
}

/** Windows of capture time [k·hopMs, k·hopMs + durationMs), closed by the watermark. */
class TimeWindower extends BaseWindower {
  readonly #duration = this.options.durationMs!;
  readonly #hop = this.options.hopMs ?? this.options.durationMs!;

  protected override take(frame: Frame, done: Window[]): void {
    const { timestamp } = frame;
    this.highest = Math.max(this.highest ?? timestamp, timestamp);
    const watermark = this.highest - (this.options.latenessMs ?? 0);
    while (this.open[0] !== undefined && this.open[0].start + this.#duration <= watermark) {
      const window = this.open.shift()!;
      this.closed = Math.max(this.closed, window.start + this.#hop);
      if (!window.broken) done.push(this.finish(window));
    }
    let joined = false;
    for (const sample of this.sample(frame)) {
      if (sample === undefined) continue;
      const newest = Math.floor(sample.timestamp / this.#hop) * this.#hop;
      for (let start = newest; start > sample.timestamp - this.#duration; start -= this.#hop) {
        if (start < this.closed || start + this.#duration <= watermark) break;
        joined = true;
        const window = this.#window(start);
        if (window.frames.at(-1) !== sample) window.frames.push(sample);
      }
    }
    if (!joined && this.options.fps === undefined && (this.options.every ?? 1) === 1) this.late++;
  }

  #window(start: number): OpenWindow {
    const found = this.open.find((window) => window.start === start);
    if (found !== undefined) return found;
    const window = { start, frames: [], broken: false, gaps: 0 };
    this.open.push(window);
    this.open.sort((a, b) => a.start - b.start);
    return window;
  }

  protected override onGap(policy: GapPolicy, _next: Frame, _done: Window[]): void {
    if (policy === "drop") { for (const window of this.open) window.broken = true; }
    else this.restartGrid();
  }
}

/** True when sequence numbers of the camera are missing between two frames that follow each other. */
function missesBetween({ headers: before }: Frame, { headers: after }: Frame): boolean {
  if (before["session"] !== after["session"]) return false;
  if (before["seq"] === undefined || after["seq"] === undefined) return false;
  return Number(after["seq"]) > Number(before["seq"]) + 1;
}
