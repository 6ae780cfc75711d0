/**
 * Windows by count.
 *
 * @module
 */
import type { Frame, Window } from "../definition/frame.ts";
import type { GapPolicy } from "./window_options.ts";
import { BaseWindower } from "./base.ts";

/** Windows of a number of frames; window j holds the samples j·hop … j·hop + frames − 1. */
export class CountWindower extends BaseWindower {
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
