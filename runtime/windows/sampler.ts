// Selects the frames of a stream: every one, every n-th, or one per tick of a frame rate.
import type { Frame } from "../definition/frame.ts";
import type { WindowOptions } from "./window_options.ts";
import type { WindowerState } from "./windower.ts";

/** A selected frame, with the capture time that it represents. */
export interface Sample {
  /** Undefined if the held frame precedes the one at which reading restarted. */
  readonly frame: Frame | undefined;
  /** Epoch milliseconds: the frame's own time, or that of the tick for which it is held. */
  readonly time: number;
}

/** The part of a windower's state that belongs to its sampler. */
export type SamplerState = Pick<WindowerState, "seen" | "origin" | "tick">;

/** The state before the first frame. */
export const NO_SAMPLES: SamplerState = { seen: 0, origin: null, tick: -1 };

/**
 * Takes samples. With `fps`, tick k is at `origin + k·1000/fps`; it takes the frame nearest to it,
 * estimated from the time since the previous frame, or else holds the newest frame before it.
 */
export class Sampler {
  readonly #fps: number | undefined;
  readonly #every: number;
  #seen: number;
  #origin: number | null;
  #tick: number;
  /** The frame that fills ticks without a frame of their own. */
  held: Frame | undefined;
  /** Frames that arrived after a later tick was taken. */
  late = 0;

  constructor({ fps, every = 1 }: WindowOptions, { seen, origin, tick }: SamplerState) {
    this.#fps = fps;
    this.#every = every;
    this.#seen = seen;
    this.#origin = origin;
    this.#tick = tick;
  }

  state(): SamplerState {
    return { seen: this.#seen, origin: this.#origin, tick: this.#tick };
  }

  /** The number of ticks without a frame in a pause. */
  missed(time: number): number {
    return this.#fps === undefined || this.#origin === null
      ? 0
      : Math.max(0, Math.round(this.#ticksAt(time, this.#fps)) - this.#tick - 1);
  }

  /**
   * True if `take` would return this frame.
   *
   * @param step milliseconds since the previous frame
   */
  wants({ timestamp }: Frame, step: number): boolean {
    if (this.#fps === undefined) return this.#seen % this.#every === 0;
    return this.#origin === null || this.#tickOf(timestamp, step, this.#fps) > this.#tick;
  }

  /**
   * The samples that a frame yields: held ones for the ticks before it, then itself if selected.
   *
   * @param step milliseconds since the previous frame
   */
  take(frame: Frame, step: number): Sample[] {
    const { timestamp } = frame;
    this.#origin ??= timestamp;
    const own = { frame, time: timestamp };
    if (this.#fps === undefined) return this.#seen++ % this.#every === 0 ? [own] : [];
    const tick = this.#tickOf(timestamp, step, this.#fps);
    if (Math.round(this.#ticksAt(timestamp, this.#fps)) < this.#tick) this.late++;
    const samples: Sample[] = [];
    if (tick > this.#tick) {
      for (let missed = this.#tick + 1; missed < tick; missed++) {
        samples.push({ frame: this.held, time: this.#origin + missed * 1000 / this.#fps });
      }
      this.#tick = tick;
      samples.push(own);
    }
    // A late frame must not replace a newer held one.
    if (this.held === undefined || timestamp >= this.held.timestamp) this.held = frame;
    return samples;
  }

  /** Resets the sampler: the next frame starts a new series of ticks. */
  restart(): void {
    this.#seen = 0;
    this.#origin = null;
    this.#tick = -1;
    this.held = undefined;
  }

  /** The tick that a frame fills, if still free: within half a step no frame is nearer. */
  #tickOf(time: number, step: number, fps: number): number {
    const ticks = step * fps / 1000;
    // Near the model's own rate there is little choice: accept any frame within half a tick.
    const reach = ticks > 0 && ticks < 0.75 ? ticks / 2 : 0.5;
    return Math.floor(this.#ticksAt(time, fps) + reach);
  }

  #ticksAt(time: number, fps: number): number {
    return (time - this.#origin!) * fps / 1000;
  }
}
