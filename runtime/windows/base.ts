/**
 * What windows by count and by time have in common: sampling, gaps, the point to start again from.
 *
 * @module
 */
import type { Frame, Window } from "../definition/frame.ts";
import type { GapPolicy, WindowOptions } from "./window_options.ts";
import type { RestartPoint, Windower, WindowerState } from "./windower.ts";

/** A window that is not complete yet. */
export interface OpenWindow {
  /** Sample number or epoch time at which it starts. */
  readonly start: number;
  readonly frames: Frame[];
  broken: boolean;
  /** Pauses beyond `maxGapMs` and jumps of the camera's sequence numbers inside. */
  gaps: number;
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

/** A windower but for where windows begin and end. */
export abstract class BaseWindower implements Windower {
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

/** True when sequence numbers of the camera are missing between two frames that follow each other. */
function missesBetween({ headers: before }: Frame, { headers: after }: Frame): boolean {
  if (before["session"] !== after["session"]) return false;
  if (before["seq"] === undefined || after["seq"] === undefined) return false;
  return Number(after["seq"]) > Number(before["seq"]) + 1;
}
