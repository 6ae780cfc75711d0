// Reads frames of one partition by the source options and the overload policy. Everything
// dropped is counted.
import { messageOf } from "../base/errors.ts";
import { BadFrameError, type Frame } from "../definition/frame.ts";
import { LogError, type OffsetRange, type PartitionReader } from "../log/log.ts";
import { Excess, type Taken } from "./excess.ts";
import type { IntakeOptions, Rereading } from "./intake_options.ts";

/** Target size of one read, in bytes. */
const MAX_READ_BYTES = 8 * 1024 * 1024;
/** One shared reason saves an exception with a stack for each timer. */
const ENDED = new Error("No longer needed");

export class Intake {
  readonly #options: IntakeOptions;
  readonly #source: PartitionReader;
  readonly #excess: Excess;
  /** One read is pending at a time; a wait that ends earlier leaves it for the next one. */
  #pending: Promise<void> | undefined;
  #arrived: Taken | { readonly error: unknown } | undefined;
  #wake: (() => void) | undefined;
  #alarm: { readonly due: number; readonly end: AbortController } | undefined;
  #meanBytes = 64 * 1024;
  #rereading: Rereading | undefined;
  #recreatedAt: number | undefined;

  constructor(options: IntakeOptions) {
    this.#options = options;
    this.#source = options.source;
    this.#excess = new Excess(options);
  }

  get position(): number {
    return this.#source.position;
  }

  get latest(): number {
    return this.#source.latest;
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
      while (this.position < rereading.until) {
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
        const taken = this.#inspectAll(within);
        if (taken.length > 0 || within.length === 0) return taken;
      } catch (error) {
        this.#dataLoss(error);
        if (this.recreated) return [];
      }
    }
  }

  /**
   * Up to `max` frames below `until`, without those dropped by the overload policy; undefined when
   * the topic was created again.
   */
  async readUpTo(max: number, until: number): Promise<Taken | undefined> {
    for (;;) {
      const frames: Frame[] = [];
      while (frames.length < max && this.position < until && !this.recreated) {
        const read = await this.readUntil(max - frames.length, until);
        if (read.length === 0) break;
        frames.push(...read);
      }
      if (this.recreated) {
        return frames.length === 0 ? undefined : { frames, end: frames.at(-1)!.offset + 1 };
      }
      const end = frames.length < max ? until : Math.min(until, this.position);
      const taken = this.#excess.leaveOut({ frames, end }, max);
      if (taken.frames.length > 0 || taken.end >= until) return taken;
    }
  }

  /**
   * The next frames, perhaps all of them dropped; undefined when `time` (epoch milliseconds) comes
   * first, or the topic was created again.
   */
  async readBefore(max: number, time: number): Promise<Taken | undefined> {
    const { signal, clock } = this.#options;
    const due = clock.monotonic() + time - clock.now();
    for (;;) {
      signal.throwIfAborted();
      if (this.#pending === undefined && this.#arrived === undefined) this.#startRead(max);
      if (this.#arrived === undefined && clock.monotonic() < due) await this.#waitUntil(due);
      const arrived = this.#arrived;
      if (arrived === undefined) {
        if (clock.monotonic() < due) continue;
        signal.throwIfAborted();
        return undefined;
      }
      this.#arrived = undefined;
      if ("frames" in arrived) return this.#excess.leaveOut(arrived, max);
      this.#dataLoss(arrived.error);
      if (this.recreated) return undefined;
    }
  }

  seek(offset: number): void {
    if (offset !== this.#source.position) this.#options.groups?.interrupt();
    this.#source.seek(offset);
  }

  #startRead(max: number): void {
    this.#pending = this.#source.read(this.#affordable(max), this.#options.signal).then(
      (frames) => {
        this.#arrived = { frames: this.#inspectAll(frames), end: this.#source.position };
      },
      (error) => {
        this.#arrived = { error };
      },
    ).then(() => {
      this.#pending = undefined;
      this.#wake?.();
    });
  }

  /** Until something has arrived, or the monotonic time `due` at the latest. */
  async #waitUntil(due: number): Promise<void> {
    this.#setAlarm(due);
    await new Promise<void>((resolve) => this.#wake = resolve);
    this.#wake = undefined;
  }

  /** One that rings earlier stays, since a reader who is woken early waits again: most waits set no timer. */
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

  /** Inspects frames: bad ones carry their fault, those without a keyframe are dropped. */
  #inspectAll(frames: readonly Frame[]): Frame[] {
    const taken: Frame[] = [];
    let undecodable = 0;
    for (const frame of frames) {
      this.#meanBytes += (Math.max(1, frame.value.length) - this.#meanBytes) / 16;
      const inspected = this.#inspected(frame);
      if (inspected !== undefined) taken.push(inspected);
      else if (frame.offset >= (this.#rereading?.until ?? 0)) undecodable++;
    }
    if (undecodable > 0) this.#options.onDropped(undecodable, "no-keyframe");
    return taken;
  }

  #inspected(frame: Frame): Frame | undefined {
    const { inspect, groups } = this.#options;
    if (frame.fault !== undefined) {
      groups?.interrupt();
      return frame;
    }
    try {
      const kind = groups?.take(frame) ?? "image";
      if (kind === "no-keyframe") return undefined;
      if (kind === "image") inspect(frame.value);
      this.#excess.linked = kind === "unit";
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
        if (earliest <= this.#source.position) break; // Another topic: the next read reports it.
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
    const { failOnDataLoss, topic, partition, query, report, onDropped, groups } = this.#options;
    groups?.interrupt();
    const wanted = this.#source.position;
    const done = Math.max(wanted, this.#rereading?.until ?? 0);
    const gone = `offsets ${wanted} to ${earliest - 1}`;
    if (wanted < earliest && earliest <= done) {
      if (this.#rereading!.onMissing(earliest)) return;
      if (!failOnDataLoss) {
        report(
          `Cannot read ${topic} partition ${partition} again: ${gone} are no longer in the log; open windows are dropped`,
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
        : `${lost} frames were deleted before ${query} read them`;
      throw new LogError(
        "OFFSET_OUT_OF_RANGE",
        `Cannot read ${topic} partition ${partition} from offset ${wanted}: ${what}; the log holds ${earliest} to ${latest}. ` +
          "To continue with the remaining frames and count the lost ones, run the query with --no-fail-on-data-loss",
        { range: { earliest, latest }, ...(cause === undefined ? {} : { cause }) },
      );
    }
    if (earliest <= wanted) {
      report(
        `${topic} partition ${partition} was created again: continuing at ${earliest} instead of ${done}`,
      );
      this.#recreatedAt = earliest;
    } else {
      const from = earliest - lost;
      report(
        `Lost ${lost} frames of ${topic} partition ${partition}: offsets ${from} to ${
          earliest - 1
        } are no longer in the log`,
      );
      onDropped(lost, "lost");
    }
    this.#source.seek(earliest);
  }
}
