// Frames that wait for the log, and the policy for dropping them when the buffer is full.
import type { LogRecord } from "../runtime/log/log.ts";
import { weightOf } from "../runtime/log/records.ts";
import { videoCodecOf } from "../runtime/video/access_unit.ts";

/** What happens to a frame when the buffer is full. */
export type Overflow = "wait" | "drop-oldest" | "drop-newest";

export interface PublisherFrame {
  readonly record: LogRecord;
  /** Called with the frame's offset once the log has stored it. */
  readonly delivered?: ((offset: number) => void | Promise<void>) | undefined;
}

/** Why frames were dropped, with those that depend on them up to the next keyframe. */
export type DropReason = "overflow" | "too-large" | "stopped";

/** Bytes of a record in addition to its value, key and headers. */
const RECORD_OVERHEAD = 256;

export class FrameBuffer {
  readonly dropped: Record<DropReason, number> = { overflow: 0, "too-large": 0, stopped: 0 };
  readonly #frames: PublisherFrame[] = [];
  readonly #most: number;
  readonly #batchBytes: number;
  /** Why new frames are dropped while they depend on a dropped one. */
  #droppingFor: DropReason | undefined;

  /** @param most how many frames may wait */
  constructor(most: number, batchBytes: number) {
    this.#most = most;
    this.#batchBytes = batchBytes;
  }

  get length(): number {
    return this.#frames.length;
  }

  get isFull(): boolean {
    return this.#frames.length >= this.#most;
  }

  /**
   * Adds a frame, or drops and counts frames as the policy says.
   *
   * @returns false if the buffer is full and the policy is to wait.
   */
  offer(frame: PublisherFrame, overflow: Overflow): boolean {
    if (this.#dropDependent(frame)) return true;
    if (this.isFull) {
      if (overflow === "wait") return false;
      this.dropped.overflow++;
      if (overflow === "drop-newest") {
        this.#droppingFor = "overflow";
        return true;
      }
      this.#frames.shift();
      this.dropDependents("overflow");
      if (this.#dropDependent(frame)) return true;
    }
    this.#frames.push(frame);
    return true;
  }

  /** Drops the frames that depend on the dropped frame before the first waiting one. */
  dropDependents(reason: DropReason): void {
    const next = this.#frames.findIndex(({ record }) => !needsEarlierFrames(record));
    this.dropped[reason] += this.#frames.splice(0, next < 0 ? Infinity : next).length;
    if (next < 0) this.#droppingFor = reason;
  }

  clear(reason: DropReason): void {
    this.dropped[reason] += this.#frames.splice(0).length;
  }

  /** @param single of one frame */
  nextBatch(single = false): PublisherFrame[] {
    return this.#frames.splice(0, single ? 1 : this.#batchLength());
  }

  /** Puts back frames that were taken: they come first again. */
  putBack(frames: readonly PublisherFrame[]): void {
    this.#frames.unshift(...frames);
  }

  /** True if the next batch has no room for another frame. */
  get fillsABatch(): boolean {
    if (this.#batchLength() < this.#frames.length) return true;
    const bytes = this.#frames.reduce((sum, { record }) => sum + sizeOf(record), 0);
    return bytes + RECORD_OVERHEAD >= this.#batchBytes;
  }

  /** How many waiting frames fit into one batch; at least one. */
  #batchLength(): number {
    let bytes = 0;
    let length = 0;
    for (const { record } of this.#frames) {
      bytes += sizeOf(record);
      if (length > 0 && bytes > this.#batchBytes) break;
      length++;
    }
    return length;
  }

  #dropDependent({ record }: PublisherFrame): boolean {
    if (this.#droppingFor !== undefined && needsEarlierFrames(record)) {
      this.dropped[this.#droppingFor]++;
      return true;
    }
    this.#droppingFor = undefined;
    return false;
  }
}

/** True for an access unit that needs its keyframe and all units after it to be decoded. */
function needsEarlierFrames({ headers }: LogRecord): boolean {
  return headers["keyframe"] !== "1" && videoCodecOf(headers["content-type"]) !== undefined;
}

function sizeOf(record: LogRecord): number {
  return weightOf(record) + RECORD_OVERHEAD;
}
