// Constructs batches: the frames that the next one takes, by trigger, limits and the end of the
// read.
import { epochOf } from "../base/clock.ts";
import type { Frame } from "../definition/frame.ts";
import { parseDuration } from "../definition/trigger.ts";
import type { Taken } from "./excess.ts";
import type { Intake } from "./intake.ts";
import type { ExecutionOptions } from "./options.ts";
import type { ReadEnd } from "./read_end.ts";

/** Work that does not wait for frames. */
export interface Duties {
  /** When the next one is due, epoch milliseconds; `Infinity` if none is. */
  readonly due: () => number;
  /** Whether an operator's timer is due. */
  readonly timersDue: () => boolean;
}

export class BatchBuilder {
  readonly max: number;
  readonly #min: number;
  readonly #delayMs: number;
  readonly #options: ExecutionOptions;
  readonly #intake: Intake;
  readonly #end: ReadEnd;
  readonly #duties: Duties;
  /** Frames waiting for `minFramesPerTrigger`. */
  #frames: Frame[] = [];
  /** When waiting frames are taken even if there are too few, monotonic. */
  #deadline = Infinity;
  /** When the last interval batch was taken, monotonic. */
  #taken: number;

  constructor(options: ExecutionOptions, intake: Intake, end: ReadEnd, duties: Duties) {
    const { source } = options.plan;
    this.max = source.maxFramesPerTrigger ?? 64;
    this.#min = source.minFramesPerTrigger ?? 1;
    this.#delayMs = parseDuration(source.maxTriggerDelay ?? "15m");
    this.#options = options;
    this.#intake = intake;
    this.#end = end;
    this.#duties = duties;
    this.#taken = options.clock.monotonic();
  }

  /**
   * The next batch of `asap`: as soon as there are enough frames or a timer is due; undefined when
   * there is other work.
   *
   * @param next start offset of the batch
   */
  async asSoonAsPossible(next: number): Promise<Taken | undefined> {
    const { clock } = this.#options;
    for (let end = this.#frames.at(-1)?.offset ?? next - 1;;) {
      const room = this.max - this.#frames.length;
      const taken = await this.#intake.readBefore(
        room,
        Math.min(this.#duties.due(), epochOf(clock, this.#deadline)),
      );
      if (taken !== undefined) {
        const { frames, end: read } = this.#end.clip(taken);
        if (frames.length > 0 && this.#frames.length === 0) {
          this.#deadline = clock.monotonic() + this.#delayMs;
        }
        this.#frames.push(...frames);
        end = read - 1;
      }
      const enough = this.#frames.length >= this.#min || clock.monotonic() >= this.#deadline ||
        this.#intake.recreated || this.#end.reached;
      if (this.#frames.length > 0 && enough) {
        const frames = this.#frames;
        this.#frames = [];
        this.#deadline = Infinity;
        return { frames, end: Math.max(end, frames.at(-1)!.offset) + 1 };
      }
      if (this.#duties.timersDue()) return { frames: [], end: next };
      if (taken === undefined) return undefined;
      // Dropped frames are committed too, with those that follow where there are some.
      const idle = this.#frames.length === 0 && this.#intake.buffered === 0;
      if ((idle || this.#end.reached) && end >= next) return { frames: [], end: end + 1 };
      if (this.#end.reached) return undefined;
    }
  }

  /**
   * The batch of a tick: what is there, up to the limit; undefined when that is too little.
   *
   * @param latest one past the last offset in the log.
   */
  async atTick(next: number, latest: number): Promise<Taken | undefined> {
    const { clock } = this.#options;
    const until = Math.min(latest, this.#end.offset);
    const late = clock.monotonic() >= this.#taken + this.#delayMs;
    if (until > next && (late || until - next >= this.#min)) {
      this.#taken = clock.monotonic();
      const taken = await this.#intake.readUpTo(this.max, until);
      if (taken === undefined) return undefined;
      if (taken.end > next) return this.#end.clip(taken);
    }
    return this.#duties.timersDue() ? { frames: [], end: next } : undefined;
  }
}
