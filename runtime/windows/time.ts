// Windows by capture time.
import type { Frame, Window } from "../definition/frame.ts";
import { BaseWindower, FRESH } from "./base.ts";
import type { Sample } from "./sampler.ts";
import type { GapPolicy, WindowOptions } from "./window_options.ts";
import type { WindowerState } from "./windower.ts";

/** Windows of capture time [k·hopMs, k·hopMs + durationMs), closed by the watermark. */
export class TimeWindower extends BaseWindower {
  readonly #duration = this.options.durationMs!;
  readonly #hop = this.options.hopMs ?? this.options.durationMs!;
  readonly #lateness = this.options.latenessMs ?? 0;
  /** Windows that start before this time are closed. */
  #closed: number | null;
  #highest: number | null;
  /** Windows that started before the frame at which reading restarted: they are already emitted. */
  readonly #begun: Set<number>;

  constructor(options: WindowOptions, state: WindowerState = FRESH) {
    super(options, state);
    this.#closed = state.closed;
    this.#highest = state.highest;
    this.#begun = new Set(state.begun);
  }

  override get watermark(): number | undefined {
    return this.#highest === null ? undefined : this.#highest - this.#lateness;
  }

  protected override gridState(): Partial<WindowerState> {
    const begun = [...this.#begun, ...this.open.map(({ start }) => start)];
    return {
      closed: this.#closed,
      highest: this.#highest,
      ...(begun.length === 0 ? {} : { begun }),
    };
  }

  protected override isFarAhead({ timestamp }: Frame): boolean {
    return this.#highest !== null && timestamp > this.#highest + this.options.maxStepMs!;
  }

  protected override take(frame: Frame, done: Window[]): void {
    for (const { frame: sample, time } of this.sampler.take(frame, this.step)) {
      this.#advance(time, done);
      if (sample !== undefined) this.#join({ frame: sample, time });
      // The held frame precedes the one at which reading restarted, and so do these windows.
      else for (const start of this.#startsAround(time)) this.#begun.add(start);
    }
    this.#advance(frame.timestamp, done);
  }

  #advance(time: number, done: Window[]): void {
    this.#highest = Math.max(this.#highest ?? time, time);
    let over = 0;
    for (; over < this.open.length && this.#isOver(this.open[over]!.start); over++) {
      this.#close(this.open[over]!.start);
      done.push(this.finish(this.open[over]!));
    }
    if (over > 0) this.open.splice(0, over);
    for (const start of this.#begun) if (this.#isOver(start)) this.#begun.delete(start);
  }

  #isOver(start: number): boolean {
    return start + this.#duration <= this.watermark!;
  }

  #close(start: number): void {
    this.#closed = Math.max(this.#closed ?? -Infinity, start + this.#hop);
  }

  /** Adds a sample to the windows around its time; all of them may be over. */
  #join({ frame, time }: Sample & { frame: Frame }): void {
    const newest = this.#newestAt(time);
    // With gaps between windows, a sample may have no window to be late for.
    if (newest > time - this.#duration && this.#isOver(newest)) this.lateFrames++;
    let at = 0;
    for (const start of this.#startsAround(time)) {
      while (at < this.open.length && this.open[at]!.start < start) at++;
      if (this.open[at]?.start !== start) this.open.splice(at, 0, this.begin(start, frame));
      this.open[at]!.frames.push(frame);
    }
  }

  #newestAt(time: number): number {
    return Math.floor(time / this.#hop) * this.#hop;
  }

  /** Starts of the windows around a time that a sample may join, oldest first. */
  #startsAround(time: number): number[] {
    const starts: number[] = [];
    let start = this.#newestAt(time);
    for (; start > time - this.#duration && !this.#isOver(start); start -= this.#hop) {
      if (start < (this.#closed ?? -Infinity) || this.#begun.has(start)) continue;
      starts.push(start);
    }
    return starts.reverse();
  }

  protected override onGap(policy: GapPolicy, _next: Frame, _done: Window[], back: boolean): void {
    if (policy === "reset" || back) return this.restartGrid();
    // Close the windows that contain the gap; the grid of window starts continues.
    for (const { start } of this.open) this.#close(start);
    for (const start of this.#begun) this.#close(start);
    this.#begun.clear();
    this.open = [];
    if (this.options.fps !== undefined) this.sampler.restart();
  }

  protected override closeAll(done: Window[]): void {
    const last = this.open.at(-1);
    if (last !== undefined) this.#advance(last.start + this.#duration + this.#lateness, done);
    this.sampler.restart();
  }

  protected override restartGrid(): void {
    super.restartGrid();
    this.#closed = null;
    this.#highest = null;
    this.#begun.clear();
  }
}
