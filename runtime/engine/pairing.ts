// Pairs the frames of two cameras.
//
// The frames of both are merged into one row: each camera's in offset order, the earlier capture time first,
// the left frame first if they are equal. Two neighbours from different cameras are a pair if their capture
// times are within the tolerance and neither has a nearer frame of the other camera on its other side (the
// earlier one wins a tie). So a frame is in at most one pair, and its partner depends only on its neighbours:
// three numbers suffice to resume, independent of batches.
//
// A frame whose capture time is far ahead waits for the next one of its camera: if that is not as
// far, the frame is an outlier and takes no part.
import type { Frame } from "../definition/frame.ts";
import { MAX_STEP_MS } from "../windows/window_options.ts";

/**
 * Outliers wait in memory: after this many the next frame counts as one that takes part, whatever follows. A right
 * one does take part; a left one lets the first outlier go without a partner, and is judged again.
 */
const MOST_OUTLIERS = 256;

/** The state between two left frames. */
export interface PairingState {
  /** Offset of the next right frame, be it an outlier: how many there are decides what takes part. */
  readonly at: number;
  /** Capture time of the previous right frame; null if there is none. */
  readonly right: number | null;
  /** Capture time of the previous left frame; null if there is none. */
  readonly left: number | null;
}

export type Side = "left" | "right";

/** A left frame whose pairing is decided: alone, or with a right frame. */
export interface Decided {
  readonly frame: Frame;
  readonly other: Frame | undefined;
}

export class Pairing {
  readonly #toleranceMs: number;
  #left: Row;
  #right!: Row;
  /** Where to begin again to continue with the next left frame. */
  state!: PairingState;
  /** The right frame directly before the next left one. */
  #before: Frame | undefined;

  constructor(toleranceMs: number, state: PairingState) {
    this.#toleranceMs = toleranceMs;
    this.#left = new Row(state.left);
    this.beginRight(state);
  }

  /** Offset of the next left frame; undefined when it has not been read. */
  get next(): number | undefined {
    return this.#left.frames[0]?.offset;
  }

  beginLeft(): void {
    this.state = { ...this.state, left: null };
    this.#left = new Row(null);
  }

  /** Continues elsewhere in the right partition. */
  beginRight(state: PairingState): void {
    this.state = state;
    this.#before = undefined;
    this.#right = new Row(state.right);
  }

  push(side: Side, frames: readonly Frame[]): void {
    (side === "left" ? this.#left : this.#right).frames.push(...frames);
  }

  skip(offset: number): void {
    const { frames } = this.#left;
    while (frames[0] !== undefined && frames[0].offset < offset) frames.shift();
  }

  /** The next decided left frame, or the side that must be read further first. */
  take(): Decided | Side {
    const frame = this.#left.next;
    if (frame === undefined) return "left";
    // Outliers before it have no partner.
    if (frame !== this.#left.frames[0]) {
      return { frame: this.#left.frames.shift()!, other: undefined };
    }
    const after = this.#passTo(frame.timestamp);
    if (after === undefined) return "right";
    const previous = this.#before?.timestamp ?? this.state.right;
    const other = this.#nearest(frame, previous, after);
    if (other === "left") return "left";
    this.#left.shift();
    this.#before = undefined;
    const at = this.#right.frames[0]!.offset;
    this.state = { at, right: previous, left: frame.timestamp };
    return { frame, other };
  }

  /** Passes the right frames before a left one; returns the first after them. */
  #passTo(timestamp: number): Frame | undefined {
    const right = this.#right;
    for (let next = right.next; next !== undefined; next = right.next) {
      if (next.timestamp >= timestamp) return next;
      this.#before = next;
      right.shift();
    }
    return undefined;
  }

  #nearest(frame: Frame, previous: number | null, after: Frame): Frame | undefined | "left" {
    const before = this.#before;
    const back = distance(previous, frame.timestamp);
    const ahead = distance(after.timestamp, frame.timestamp);
    if (Math.min(back, ahead) > this.#toleranceMs) return undefined;
    if (back <= ahead) {
      const free = before !== undefined && back < distance(this.state.left, before.timestamp);
      return free ? before : undefined;
    }
    const next = this.#left.following(frame);
    if (next === undefined) return "left";
    const isNeighbour = next.timestamp > after.timestamp;
    return isNeighbour && ahead <= distance(next.timestamp, after.timestamp) ? after : undefined;
  }
}

function distance(one: number | null, other: number): number {
  return one === null ? Infinity : Math.abs(one - other);
}

/** Frames of one camera, in order. */
class Row {
  readonly frames: Frame[] = [];
  #last: number | null;

  /** @param last capture time of the last frame that took part */
  constructor(last: number | null) {
    this.#last = last;
  }

  /** The next frame that takes part; undefined if that is not known yet. */
  get next(): Frame | undefined {
    return this.#from(0, this.#last);
  }

  /** The frame that takes part after the first one. */
  following({ timestamp }: Frame): Frame | undefined {
    return this.#from(1, timestamp);
  }

  #from(index: number, last: number | null): Frame | undefined {
    for (;; index++) {
      const frame = this.frames[index];
      if (frame === undefined) return undefined;
      const { timestamp } = frame;
      if (last !== null && timestamp <= last + MAX_STEP_MS) return frame;
      if (index >= MOST_OUTLIERS) return frame;
      const next = this.frames[index + 1];
      if (next === undefined) return undefined;
      if (next.timestamp >= timestamp - MAX_STEP_MS) return frame;
    }
  }

  /** Drops the next frame, and the outliers before it. */
  shift(): void {
    const { next } = this;
    this.#last = next!.timestamp;
    this.frames.splice(0, this.frames.indexOf(next!) + 1);
  }
}
