// The common part of count and time windows: gaps, numbering and restart points.
import type { Frame, Window } from "../definition/frame.ts";
import { NO_SAMPLES, Sampler } from "./sampler.ts";
import type { GapPolicy, WindowOptions } from "./window_options.ts";
import { type RestartPoint, type Windower, type WindowerState, windowOf } from "./windower.ts";

/** An incomplete window. */
export interface OpenWindow {
  /** Sample number or epoch time at which it starts. */
  readonly start: number;
  /** Its index among the windows that start with the same frame. */
  readonly number: number;
  readonly frames: Frame[];
  broken: boolean;
  /** Pauses beyond `maxGapMs`, and gaps in the camera's sequence numbers. */
  gaps: number;
}

/** The state before the first frame. */
export const FRESH: WindowerState = {
  ...NO_SAMPLES,
  samples: 0,
  last: null,
  closed: null,
  highest: null,
};

/** What a state depends on. */
export function cutOf(options: WindowOptions): string {
  const { frames, hop = frames, durationMs, hopMs = durationMs, fps, every } = options;
  return [frames, hop, durationMs, hopMs, fps, every].join();
}

/** A windower, except for where windows start and end. */
export abstract class BaseWindower implements Windower {
  protected readonly sampler: Sampler;
  protected open: OpenWindow[] = [];
  protected lateFrames = 0;
  ahead = 0;
  protected step = 0;
  readonly #cut: string;
  #last: number | null;
  #previous: Frame | undefined;
  /** A frame far ahead of the previous ones, until the next one confirms or refutes its time. */
  #unconfirmed: Frame | undefined;
  #first: { readonly offset: number; windows: number } | undefined;
  /** State before the newest frame; of several frames with its offset, before the first. */
  #newest: RestartPoint | undefined;
  /** State before each frame that an open window may still need, by offset, oldest first. */
  readonly #before = new Map<number, WindowerState>();

  constructor(protected readonly options: WindowOptions, state: WindowerState) {
    this.#cut = cutOf(options);
    this.sampler = new Sampler(options, state);
    this.#last = state.last;
  }

  get hasOpen(): boolean {
    return this.open.length > 0;
  }

  get held(): number {
    return this.#before.size;
  }

  get heldBytes(): number {
    const frames = new Set(this.open.flatMap((window) => window.frames));
    return [...frames].reduce((sum, { value }) => sum + value.length, 0);
  }

  get late(): number {
    return this.lateFrames + this.sampler.late;
  }

  get watermark(): number | undefined {
    return undefined;
  }

  state(): WindowerState {
    const cut = this.#cut;
    return { ...FRESH, ...this.sampler.state(), last: this.#last, ...this.gridState(), cut };
  }

  push(frame: Frame): Window[] {
    const done: Window[] = [];
    const unconfirmed = this.#unconfirmed;
    if (unconfirmed !== undefined) {
      this.#unconfirmed = undefined;
      if (frame.timestamp >= unconfirmed.timestamp - this.options.maxStepMs!) {
        this.#take(unconfirmed, done);
      } else this.ahead++;
    }
    if (this.#newest?.offset !== frame.offset) {
      this.#newest = { offset: frame.offset, state: this.state() };
    }
    this.#before.set(frame.offset, this.#newest.state);
    if (this.isFarAhead(frame)) this.#unconfirmed = frame;
    else this.#take(frame, done);
    this.#forgetStates();
    return done;
  }

  flush(): Window[] {
    const done: Window[] = [];
    this.closeAll(done);
    this.#forgetStates();
    return done;
  }

  #take(frame: Frame, done: Window[]): void {
    this.step = this.#stepTo(frame);
    if (this.#isAfterPause(frame)) {
      this.onGap(this.options.gap!, frame, done, frame.timestamp < this.#last!);
    }
    if (this.#previous !== undefined && missesBetween(this.#previous, frame)) {
      for (const window of this.open) window.gaps++;
    }
    this.#last = frame.timestamp;
    this.take(frame, done);
    this.#previous = frame;
  }

  wants(frame: Frame): boolean {
    const step = this.#stepTo(frame);
    const { gap, fps, durationMs } = this.options;
    // With `drop` the grid continues, except with `fps` or when time goes back.
    const restarts = gap !== "drop" || fps !== undefined || (durationMs !== undefined && step < 0);
    return (restarts && this.#isAfterPause(frame)) || this.sampler.wants(frame, step);
  }

  #stepTo({ timestamp }: Frame): number {
    return timestamp - (this.#last ?? timestamp);
  }

  #isAfterPause({ timestamp }: Frame): boolean {
    const { maxGapMs } = this.options;
    return maxGapMs !== undefined && this.#last !== null &&
      Math.abs(timestamp - this.#last) > maxGapMs;
  }

  restartPoint(): RestartPoint | undefined {
    // A held frame may start the next window although no window contains it yet.
    let offset = Math.min(
      this.sampler.held?.offset ?? Infinity,
      this.#unconfirmed?.offset ?? Infinity,
    );
    for (const { frames } of this.open) offset = Math.min(offset, frames[0]!.offset);
    return offset === Infinity ? undefined : { offset, state: this.#before.get(offset)! };
  }

  #forgetStates(): void {
    const keepFrom = this.restartPoint()?.offset ?? Infinity;
    for (const offset of this.#before.keys()) {
      if (offset >= keepFrom) break;
      this.#before.delete(offset);
    }
  }

  /** Creates a window that starts with this frame; the caller must add the frame at once. */
  protected begin(start: number, first: Frame): OpenWindow {
    if (this.#first?.offset !== first.offset) this.#first = { offset: first.offset, windows: 0 };
    return { start, number: this.#first.windows++, frames: [], broken: false, gaps: 0 };
  }

  protected restartGrid(): void {
    this.open = [];
    this.sampler.restart();
  }

  protected finish({ frames, number, gaps }: OpenWindow): Window {
    return windowOf(frames, gaps, number);
  }

  /** True for a frame whose capture time the next one must confirm. */
  protected isFarAhead(_frame: Frame): boolean {
    return false;
  }

  protected abstract gridState(): Partial<WindowerState>;
  protected abstract take(frame: Frame, done: Window[]): void;
  protected abstract onGap(policy: GapPolicy, next: Frame, done: Window[], back: boolean): void;
  /** Ends all open windows, and emits those that are complete or count as complete. */
  protected abstract closeAll(done: Window[]): void;
}

function missesBetween({ headers: before }: Frame, { headers: after }: Frame): boolean {
  if (before["session"] !== after["session"]) return false;
  if (before["seq"] === undefined || after["seq"] === undefined) return false;
  return Number(after["seq"]) > Number(before["seq"]) + 1;
}
