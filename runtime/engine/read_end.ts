// The end of a read: `endingOffsets`, `endingTimestamp`.
import { endPoint } from "../definition/source_options.ts";
import type { Taken } from "./excess.ts";
import type { ExecutionOptions } from "./options.ts";

export class ReadEnd {
  /** Frames from this offset on are not read. */
  readonly offset: number;
  /** The first frame captured at or after this time (epoch milliseconds) ends the read. */
  readonly #timestamp: number;
  /** Whether a frame beyond the end was seen. */
  reached = false;

  private constructor(offset: number, timestamp: number) {
    this.offset = offset;
    this.#timestamp = timestamp;
  }

  static async of({ plan, log, topic, partition }: ExecutionOptions): Promise<ReadEnd> {
    const { offset, timestamp } = endPoint(plan.source, topic, partition);
    return new ReadEnd(
      offset === "latest" ? (await log.offsets(topic, partition)).latest : offset,
      timestamp,
    );
  }

  /** Whether nothing is left to read from `next` on. */
  isBehind(next: number): boolean {
    return this.reached || next >= this.offset;
  }

  clip(taken: Taken): Taken {
    if (this.offset === Infinity && this.#timestamp === Infinity) return taken;
    const { frames, end } = taken;
    const past = frames.findIndex(({ offset, timestamp }) =>
      offset >= this.offset || timestamp >= this.#timestamp
    );
    if (past < 0) return { frames, end: Math.min(end, this.offset) };
    this.reached = true;
    return { frames: frames.slice(0, past), end: Math.min(frames[past]!.offset, this.offset) };
  }
}
