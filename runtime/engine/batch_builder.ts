// Constructs batches: the frames that the next one takes, by trigger, limits and the end of the
// read. All times are monotonic.
import { monotonicOf } from "../base/clock.ts";
import type { Frame } from "../definition/frame.ts";
import { parseDuration } from "../definition/trigger.ts";
import type { Commits } from "./commits.ts";
import type { Taken } from "./excess.ts";
import type { Opened } from "./opened.ts";
import type { ExecutionOptions } from "./options.ts";
import type { ReadEnd } from "./read_end.ts";

const NONE: readonly Frame[] = [];

export class BatchBuilder {
  readonly max: number;
  readonly #min: number;
  readonly #delayMs: number;
  readonly #options: ExecutionOptions;
  readonly #opened: Opened;
  readonly #end: ReadEnd;
  readonly #commits: Commits;
  /** Frames waiting for `minFramesPerTrigger`, and one past the last offset read since the last batch. */
  #frames: readonly Frame[] = NONE;
  #readTo = 0;
  /** When waiting frames are taken even if there are too few. */
  #deadline = Infinity;
  /** The operators' earliest timer when they were last asked, epoch milliseconds. */
  #timer = Infinity;
  /** When the last interval batch was taken. */
  #taken: number;

  constructor(
    options: ExecutionOptions,
    opened: Opened,
    end: ReadEnd,
    commits: Commits,
  ) {
    const { source } = options.plan;
    this.max = source.maxFramesPerTrigger ?? 64;
    this.#min = source.minFramesPerTrigger ?? 1;
    this.#delayMs = parseDuration(source.maxTriggerDelay ?? "15m");
    this.#options = options;
    this.#opened = opened;
    this.#end = end;
    this.#commits = commits;
    this.#taken = options.clock.monotonic();
  }

  /**
   * When the next batch, or other work, is due even if no frames arrive; valid after
   * `asSoonAsPossible` has returned none.
   */
  get due(): number {
    const timer = monotonicOf(this.#options.clock, this.#timer);
    return Math.min(timer, this.#commits.due, this.#deadline);
  }

  /** Asks the operators whether a timer is due. */
  #timersDue(): boolean {
    this.#timer = this.#opened.pipeline.nextTimer();
    return this.#timer <= this.#options.clock.now();
  }

  /**
   * The next batch of `asap`: as soon as there are enough frames or a timer is due; undefined if
   * neither is the case yet.
   *
   * @param next start offset of the batch
   */
  asSoonAsPossible(next: number): Taken | undefined {
    const { clock } = this.#options;
    for (;;) {
      const read = this.#opened.intake.take(this.max - this.#frames.length);
      if (read !== undefined) this.#add(this.#end.clip(read));
      const waiting = this.#frames.length;
      const enough = waiting >= this.#min || this.#opened.intake.recreated || this.#end.reached ||
        clock.monotonic() >= this.#deadline;
      if (waiting > 0 && enough) {
        const batch = { frames: this.#frames, end: this.#readTo };
        this.#frames = NONE;
        this.#deadline = Infinity;
        return batch;
      }
      if (this.#timersDue()) return { frames: NONE, end: next };
      if (read === undefined) return undefined;
      // Dropped frames are committed too, with those that follow where there are some.
      const idle = waiting === 0 && this.#opened.intake.buffered === 0;
      if ((idle || this.#end.reached) && this.#readTo > next) {
        return { frames: NONE, end: this.#readTo };
      }
      if (this.#end.reached) return undefined;
    }
  }

  #add({ frames, end }: Taken): void {
    this.#readTo = end;
    if (frames.length === 0) return;
    if (this.#frames.length === 0) {
      this.#frames = frames;
      this.#deadline = this.#options.clock.monotonic() + this.#delayMs;
    } else this.#frames = this.#frames.concat(frames);
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
      const taken = await this.#opened.intake.readUpTo(this.max, until);
      if (taken === undefined) return undefined;
      if (taken.end > next) return this.#end.clip(taken);
    }
    return undefined;
  }
}
