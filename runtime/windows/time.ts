/**
 * Windows by capture time.
 *
 * @module
 */
import type { Frame, Window } from "../definition/frame.ts";
import type { GapPolicy } from "./window_options.ts";
import { BaseWindower, type OpenWindow } from "./base.ts";

/** Windows of capture time [k·hopMs, k·hopMs + durationMs), closed by the watermark. */
export class TimeWindower extends BaseWindower {
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
