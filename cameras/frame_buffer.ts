// Frames that wait for the log, and those dropped when there are too many.
import type { LogRecord } from "../runtime/log/log.ts";
import { videoCodecOf } from "../runtime/video/access_unit.ts";

/** What happens to a frame when the buffer is full. */
export type Overflow = "wait" | "drop-oldest" | "drop-newest";

export interface PublisherFrame {
  readonly record: LogRecord;
  /** Called with the frame's offset in the log. */
  readonly delivered?: ((offset: number) => void | Promise<void>) | undefined;
}

/**
 * Why frames were dropped. Video that depends on a dropped frame, up to the next keyframe, is
 * dropped and counted with it.
 */
export type DropReason = "overflow" | "too-large" | "stopped";

const RECORD_OVERHEAD = 256;

export class FrameBuffer {
  readonly dropped: Record<DropReason, number> = { overflow: 0, "too-large": 0, stopped: 0 };
  readonly #frames: PublisherFrame[] = [];
  readonly #most: number;
  readonly #batchBytes: number;
  /** Why frames are dropped as long as they depend on a dropped one. */
  #lost: DropReason | undefined;

  /** @param most frames that may wait */
  constructor(most: number, batchBytes: number) {
    this.#most = most;
    this.#batchBytes = batchBytes;
  }

  get length(): number {
    return this.#frames.length;
  }

  /**
   * Takes a frame, or drops and counts by the policy; returns false when there is no room and the
   * policy is to wait.
   */
  offer(frame: PublisherFrame, overflow: Overflow): boolean {
    if (this.#isLost(frame)) return true;
    if (this.#frames.length >= this.#most) {
      if (overflow === "wait") return false;
      this.dropped.overflow++;
      if (overflow === "drop-newest") {
        this.#lost = "overflow";
        return true;
      }
      this.#frames.shift();
      this.dropHanging("overflow");
      if (this.#isLost(frame)) return true;
    }
    this.#frames.push(frame);
    return true;
  }

  /** Drops waiting frames that depend on the dropped one before them. */
  dropHanging(reason: DropReason): void {
    const next = this.#frames.findIndex(({ record }) => !hangsOnOthers(record));
    this.dropped[reason] += this.#frames.splice(0, next < 0 ? Infinity : next).length;
    if (next < 0) this.#lost = reason;
  }

  clear(reason: DropReason): void {
    this.dropped[reason] += this.#frames.splice(0).length;
  }

  nextBatch(): PublisherFrame[] {
    return this.#frames.splice(0, this.#batchLength());
  }

  /** Whether the next batch is full, or a single frame fills one. */
  get fillsABatch(): boolean {
    if (this.#batchLength() < this.#frames.length) return true;
    const bytes = this.#frames.reduce((sum, { record }) => sum + sizeOf(record), 0);
    return bytes + RECORD_OVERHEAD >= this.#batchBytes;
  }

  /** Frames of the next batch; at least one. */
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

  /** Counts a frame that comes and depends on a dropped one. */
  #isLost({ record }: PublisherFrame): boolean {
    if (this.#lost !== undefined && hangsOnOthers(record)) {
      this.dropped[this.#lost]++;
      return true;
    }
    this.#lost = undefined;
    return false;
  }
}

/** An access unit that cannot be decoded without its keyframe and all units between. */
export function hangsOnOthers({ headers }: LogRecord): boolean {
  return headers["keyframe"] !== "1" && videoCodecOf(headers["content-type"]) !== undefined;
}

function sizeOf({ value }: LogRecord): number {
  return value.length + RECORD_OVERHEAD;
}
