// Windows by count.
import type { Frame, Window } from "../definition/frame.ts";
import { BaseWindower, FRESH } from "./base.ts";
import type { GapPolicy, WindowOptions } from "./window_options.ts";
import type { WindowerState } from "./windower.ts";

/** Windows by count; window j contains the samples j·hop … j·hop + frames − 1. */
export class CountWindower extends BaseWindower {
  readonly #frames = this.options.frames!;
  readonly #hop = this.options.hop ?? this.options.frames!;
  #samples: number;

  constructor(options: WindowOptions, state: WindowerState = FRESH) {
    super(options, state);
    this.#samples = state.samples;
  }

  protected override gridState(): Partial<WindowerState> {
    return { samples: this.#samples };
  }

  protected override take(frame: Frame, done: Window[]): void {
    for (const { frame: sample } of this.sampler.take(frame, this.step)) {
      const index = this.#samples++;
      if (sample === undefined) continue;
      if (index % this.#hop === 0) this.open.push(this.begin(index, sample));
      for (const window of this.open) window.frames.push(sample);
      const first = this.open[0];
      if (first !== undefined && index === first.start + this.#frames - 1) {
        this.open.shift();
        if (!first.broken) done.push(this.finish(first));
      }
    }
  }

  protected override onGap(policy: GapPolicy, next: Frame, done: Window[]): void {
    if (policy === "drop" && this.options.fps === undefined) {
      for (const window of this.open) window.broken = true;
    } else if (policy === "drop") {
      // Count the pause as ticks without frames, so that later windows start where they would
      // without it.
      const phase = (this.#samples + this.sampler.missed(next.timestamp)) % this.#hop;
      this.restartGrid();
      this.#samples = phase;
    } else if (policy === "pad") this.closeAll(done);
    else this.restartGrid();
  }

  protected override closeAll(done: Window[]): void {
    for (const window of this.open) {
      const last = window.frames.at(-1)!;
      while (window.frames.length < this.#frames) window.frames.push(last);
      window.gaps++;
      done.push(this.finish(window));
    }
    this.restartGrid();
  }

  protected override restartGrid(): void {
    super.restartGrid();
    this.#samples = 0;
  }
}
