// Reads frames of one partition by the source options and the overload policy. Everything
// dropped is counted.
import { messageOf } from "../base/errors.ts";
import { BadFrameError, type Frame } from "../definition/frame.ts";
import { endsByItself } from "../definition/plan.ts";
import { LogError, type OffsetRange, type PartitionReader } from "../log/log.ts";
import { weightOf } from "../log/records.ts";
import { Excess, type ExcessOptions, type Taken } from "./excess.ts";
import type { ExecutionOptions, FrameGroups } from "./options.ts";

/** Target size of one read, in bytes. */
const MAX_READ_BYTES = 8 * 1024 * 1024;
/** One shared reason saves an exception with a stack for each timer. */
const ENDED = new Error("No longer needed");

export interface LaneReader extends Omit<PartitionReader, "status" | "close"> {
  /**
   * Where the last bounded read stopped early: the frame at this offset waits for one that is not
   * in the log yet. Absent where no frame waits for others.
   */
  readonly held?: number | undefined;
}

export interface IntakeOptions
  extends
    Omit<ExcessOptions, "overload">,
    Pick<ExecutionOptions, "plan" | "topic" | "partition" | "clock" | "report" | "inspect"> {
  readonly source: LaneReader;
  readonly groups: FrameGroups | undefined;
  readonly signal: AbortSignal;
}

/** A range re-read after a restart. */
interface Rereading {
  /** Frames below this offset were processed before the restart. */
  readonly until: number;
  /**
   * Called with the first offset that the log holds, when it lacks some; true when the query does
   * without.
   */
  readonly onMissing: (earliest: number) => boolean;
}

export class Intake {
  readonly #options: IntakeOptions;
  readonly #source: LaneReader;
  readonly #excess: Excess;
  /** One read is pending at a time, whatever wakes the reader before it ends. */
  #reading = false;
  #arrived: Taken | { readonly error: unknown } | undefined;
  #wake: (() => void) | undefined;
  #alarm: { readonly due: number; readonly end: AbortController } | undefined;
  #meanBytes = 64 * 1024;
  #rereading: Rereading | undefined;
  #recreatedAt: number | undefined;

  constructor(options: IntakeOptions) {
    this.#options = options;
    this.#source = options.source;
    const { plan } = options;
    // A query that ends by itself cannot fall behind: what follows its end does not count.
    const overload = endsByItself(plan) ? { kind: "wait" } as const : plan.overload;
    this.#excess = new Excess({ ...options, overload });
    // The pending read takes no signal, which would cost a listener for each read: closing the source ends it.
    options.signal.addEventListener("abort", () => this.#wake?.(), { once: true });
  }

  get position(): number {
    return this.#source.position;
  }

  get latest(): number {
    return this.#source.latest;
  }

  get held(): number | undefined {
    return this.#source.held;
  }

  get buffered(): number {
    const arrived = this.#arrived;
    return this.#source.buffered +
      (arrived !== undefined && "frames" in arrived ? arrived.frames.length : 0);
  }

  /**
   * Whether the topic was created again, and that is allowed. Until `takeRecreated` reads return
   * what they have, perhaps nothing, and nothing of the new topic.
   */
  get recreated(): boolean {
    return this.#recreatedAt !== undefined;
  }

  /** Continues in the new topic, at the returned offset; undefined when there is none. */
  takeRecreated(): number | undefined {
    const offset = this.#recreatedAt;
    this.#recreatedAt = undefined;
    return offset;
  }

  /** Reads frames again that were processed before the restart, as far as the topic holds them. */
  async reread(rereading: Rereading, take: (frames: Frame[]) => Promise<void>): Promise<void> {
    this.#rereading = rereading;
    try {
      while (this.position < rereading.until && !this.recreated) {
        const frames = await this.readUntil(64, rereading.until);
        if (frames.length === 0) break;
        await take(frames);
      }
    } finally {
      this.#rereading = undefined;
    }
  }

  /** Frames below `until`; none only when there are no more, or the topic was created again. */
  async readUntil(max: number, until: number): Promise<Frame[]> {
    for (;;) {
      try {
        const frames = await this.#source.read(this.#affordable(max), this.#options.signal, until);
        const within = frames.filter(({ offset }) => offset < until);
        if (within.length < frames.length) this.#source.seek(until);
        const { length } = within;
        const taken = this.#inspectAll(within);
        if (taken.length > 0 || length === 0) return taken;
      } catch (error) {
        this.#dataLoss(error);
        if (this.recreated) return [];
      }
    }
  }

  /** All frames below `until`, or the first `max`. */
  async readAll(until: number, max = Infinity): Promise<Frame[]> {
    const frames: Frame[] = [];
    while (frames.length < max && this.position < until) {
      const read = await this.readUntil(max - frames.length, until);
      if (read.length === 0) break;
      frames.push(...read);
    }
    return frames;
  }

  /**
   * Up to `max` frames below `until`, without those dropped by the overload policy; undefined when
   * the topic was created again.
   */
  async readUpTo(max: number, until: number): Promise<Taken | undefined> {
    for (;;) {
      const frames = await this.readAll(until, max);
      if (this.recreated) {
        return frames.length === 0 ? undefined : { frames, end: frames.at(-1)!.offset + 1 };
      }
      const end = frames.length < max ? this.held ?? until : Math.min(until, this.position);
      const taken = this.#excess.apply({ frames, end }, max);
      if (taken.frames.length > 0 || taken.end >= (this.held ?? until)) return taken;
    }
  }

  /**
   * The frames that have arrived, perhaps all of them dropped; undefined if none have, or the topic
   * was created again.
   */
  take(max: number): Taken | undefined {
    this.#options.signal.throwIfAborted();
    const arrived = this.#arrived;
    this.#arrived = undefined;
    if (arrived !== undefined && "frames" in arrived) return this.#excess.apply(arrived, max);
    if (arrived !== undefined) this.#dataLoss(arrived.error);
    if (!this.#reading && !this.recreated) this.#startRead(max);
    return undefined;
  }

  /** Resolves when frames arrive that `take` waits for, or at a monotonic time. */
  arrival(due: number): void | Promise<void> {
    const { signal, clock } = this.#options;
    if (this.#arrived !== undefined || signal.aborted || clock.monotonic() >= due) return;
    this.#setAlarm(due);
    return new Promise(this.#sleep);
  }

  readonly #sleep = (wake: () => void) => void (this.#wake = wake);

  seek(offset: number): void {
    if (offset !== this.#source.position) this.#options.groups?.interrupt();
    this.#source.seek(offset);
  }

  #startRead(max: number): void {
    this.#reading = true;
    this.#source.read(this.#affordable(max)).then(this.#onFrames, this.#onError);
  }

  readonly #onFrames = (frames: Frame[]) =>
    this.#arrive({ frames: this.#inspectAll(frames), end: this.#source.position });
  readonly #onError = (error: unknown) => this.#arrive({ error });

  #arrive(arrived: Taken | { readonly error: unknown }): void {
    this.#reading = false;
    this.#arrived = arrived;
    this.#wake?.();
  }

  /** An earlier alarm stays, so that few waits set a timer: a reader that wakes too early waits again. */
  #setAlarm(due: number): void {
    if (due === Infinity || this.#alarm !== undefined && this.#alarm.due <= due) return;
    this.close();
    const { clock } = this.#options;
    const { signal } = (this.#alarm = { due, end: new AbortController() }).end;
    const ring = () => {
      this.#alarm = undefined;
      this.#wake?.();
    };
    clock.sleep(Math.max(0, due - clock.monotonic()), signal).then(ring, () => {});
  }

  /** Ends the timer. */
  close(): void {
    this.#alarm?.end.abort(ENDED);
    this.#alarm = undefined;
  }

  #affordable(max: number): number {
    return Math.max(1, Math.min(max, Math.floor(MAX_READ_BYTES / this.#meanBytes)));
  }

  /** Inspects frames, in place: bad ones carry their fault, those without a keyframe are dropped. */
  #inspectAll(frames: Frame[]): Frame[] {
    let kept = 0;
    let undecodable = 0;
    const until = (frames.at(-1)?.offset ?? 0) + 1;
    for (const frame of frames) {
      this.#meanBytes += (weightOf(frame) - this.#meanBytes) / 16;
      const inspected = this.#inspected(frame);
      if (inspected !== undefined) frames[kept++] = inspected;
      else if (frame.offset >= (this.#rereading?.until ?? 0)) undecodable++;
    }
    if (undecodable > 0) this.#options.onDropped(undecodable, "no-keyframe", until);
    frames.length = kept;
    return frames;
  }

  #inspected(frame: Frame): Frame | undefined {
    const { inspect, groups } = this.#options;
    if (frame.fault !== undefined) {
      groups?.interrupt();
      return frame;
    }
    try {
      const kind = groups?.take(frame) ?? "image";
      this.#excess.linked = kind !== "image";
      if (kind === "no-keyframe") return undefined;
      if (kind === "image") inspect(frame.value);
      return frame;
    } catch (error) {
      // Any other error is ours, and must cost this frame alone.
      const fault = error instanceof BadFrameError
        ? error
        : new BadFrameError("error", `Cannot inspect the frame: ${messageOf(error)}`, {
          cause: error,
        });
      return { ...frame, fault };
    }
  }

  /**
   * Reads what the frame at `until` depends on, from its keyframe on, for the decoder alone. Where
   * the log lacks it, the lane continues at the next keyframe.
   */
  async readGroup(keyframe: number, until: number): Promise<void> {
    const { signal, groups, report, topic, partition } = this.#options;
    this.#source.seek(keyframe);
    while (this.#source.position < until) {
      try {
        const frames = await this.#source.read(this.#affordable(64), signal, until);
        if (frames.length === 0) break;
        for (const frame of frames) if (frame.offset < until) this.#inspected(frame);
      } catch (error) {
        if (!(error instanceof LogError) || error.code !== "OFFSET_OUT_OF_RANGE") throw error;
        const { earliest } = error.range!;
        if (earliest <= this.#source.position) {
          // Another topic: the log says so only once.
          this.#source.seek(until);
          return this.lost(error.range!, error);
        }
        groups?.interrupt();
        report(
          `The keyframe at offset ${keyframe} of ${topic} partition ${partition} is no longer in the log: ` +
            "frames are dropped until the next one",
        );
        this.#source.seek(Math.min(earliest, until));
      }
    }
    this.#source.seek(until);
  }

  /** Frames were deleted before they were read. */
  #dataLoss(error: unknown): void {
    if (!(error instanceof LogError) || error.range === undefined) throw error;
    this.lost(error.range, error);
  }

  /**
   * The log lacks what comes next.
   *
   * @throws {LogError} `OFFSET_OUT_OF_RANGE` unless data loss is allowed
   */
  lost({ earliest, latest }: OffsetRange, cause?: unknown): void {
    const { plan, topic, partition, report, onDropped, groups } = this.#options;
    const { failOnDataLoss = true } = plan.source;
    groups?.interrupt();
    const wanted = this.#source.position;
    const done = Math.max(wanted, this.#rereading?.until ?? 0);
    if (wanted < earliest && earliest <= done) {
      if (this.#rereading!.onMissing(earliest)) return;
      if (!failOnDataLoss) {
        const gone = `offsets ${wanted} to ${earliest - 1} are no longer in the log`;
        report(
          `Cannot read ${topic} partition ${partition} again: ${gone}; open windows are dropped`,
        );
        this.#source.seek(earliest);
        return;
      }
    }
    const lost = Math.max(0, earliest - done);
    if (failOnDataLoss) {
      const what = earliest <= wanted
        ? "the topic was deleted and created again"
        : lost === 0
        ? `${earliest - wanted} frames that its open windows need were deleted`
        : `${lost} frames were deleted before ${plan.name} read them`;
      throw new LogError(
        "OFFSET_OUT_OF_RANGE",
        `Cannot read ${topic} partition ${partition} from offset ${wanted}: ${what}; the log holds ${earliest} to ${latest}. ` +
          "To continue with the remaining frames and count the lost ones, run the query with --no-fail-on-data-loss",
        { range: { earliest, latest }, cause },
      );
    }
    if (earliest <= wanted) {
      report(
        `${topic} partition ${partition} was created again: continuing at ${earliest} instead of ${done}`,
      );
      this.#recreatedAt = earliest;
    } else {
      const lacking = `offsets ${earliest - lost} to ${earliest - 1} are no longer in the log`;
      report(`Lost ${lost} frames of ${topic} partition ${partition}: ${lacking}`);
      onDropped(lost, "lost", earliest);
    }
    this.#source.seek(earliest);
  }
}
