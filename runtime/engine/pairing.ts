/**
 * Which frames of two cameras belong together.
 *
 * The frames of both are thought of as one row: each camera's in offset order, of two that come next
 * the one with the earlier capture time first, of equal ones the left. Two neighbours in it, one of
 * each camera, are a pair when they were captured within the tolerance of each other and neither has a
 * nearer frame of the other camera on its other side (of two as near, the one before). So a frame is in
 * one pair at most, and what it is paired with depends on its neighbours alone: three numbers say
 * where to go on, and nothing depends on how frames come in batches.
 *
 * A frame whose capture time is far ahead of those before it waits for the next one of its camera: if
 * that is not as far, the frame is astray and takes no part.
 *
 * @module
 */
import type { Frame } from "../definition/frame.ts";
import { MAX_STEP_MS } from "../windows/window_options.ts";

/** Where pairing is, between two left frames. */
export interface PairingState {
  /** Offset of the right frame that comes next in the row. */
  readonly at: number;
  /** Capture time of the right frame before it; null when there is none. */
  readonly right: number | null;
  /** Capture time of the left frame before. */
  readonly left: number | null;
}

/** A left frame that is decided: alone, or with a right one. */
export interface Decided {
  readonly frame: Frame;
  readonly other: Frame | undefined;
}

/** Pairs the frames of two partitions. */
export class Pairing {
  readonly #toleranceMs: number;
  #left: Row;
  #right!: Row;
  #state!: PairingState;
  /** The right frame that stands directly before the next left one. */
  #before: Frame | undefined;

  constructor(toleranceMs: number, state: PairingState) {
    this.#toleranceMs = toleranceMs;
    this.#left = new Row(state.left);
    this.beginRight(state);
  }

  /** Where a pairing must begin to go on with the next left frame. */
  get state(): PairingState {
    return this.#state;
  }

  /** Offset of the left frame that is decided next; undefined when it has not been read. */
  get next(): number | undefined {
    return this.#left.first;
  }

  /** Forgets the left frames. */
  beginLeft(): void {
    this.#state = { ...this.#state, left: null };
    this.#left = new Row(null);
  }

  /** Forgets the right frames, and goes on elsewhere. */
  beginRight(state: PairingState): void {
    this.#state = state;
    this.#before = undefined;
    this.#right = new Row(state.right);
  }

  /** Takes the next left frames, in offset order. */
  pushLeft(frames: readonly Frame[]): void {
    for (const frame of frames) this.#left.push(frame);
  }

  /** Takes the next right frames, in offset order. */
  pushRight(frames: readonly Frame[]): void {
    for (const frame of frames) this.#right.push(frame);
  }

  /** Left frames below an offset are given up. */
  skip(offset: number): void {
    this.#left.skip(offset);
  }

  /** The next left frame, or the side of which more must be read first. */
  take(): Decided | "left" | "right" {
    const left = this.#left.head;
    if (left === undefined) return "left";
    const { frame, astray } = left;
    if (!astray) {
      const after = this.#passTo(frame.timestamp);
      if (after === undefined) return "right";
      const previous = this.#before?.timestamp ?? this.#state.right;
      const other = this.#nearest(frame, previous, after);
      if (other === "left") return "left";
      this.#left.shift();
      this.#before = undefined;
      this.#state = { at: after.offset, right: previous, left: frame.timestamp };
      return { frame, other };
    }
    this.#left.shift();
    return { frame, other: undefined };
  }

  /** Passes the right frames before a left one; returns the first after it. */
  #passTo(timestamp: number): Frame | undefined {
    for (let head = this.#right.head; head !== undefined; head = this.#right.head) {
      if (!head.astray && head.frame.timestamp >= timestamp) return head.frame;
      if (!head.astray) this.#before = head.frame;
      this.#right.shift();
    }
    return undefined;
  }

  #nearest(frame: Frame, previous: number | null, after: Frame): Frame | undefined | "left" {
    const before = this.#before;
    const back = distance(previous, frame.timestamp);
    const ahead = distance(after.timestamp, frame.timestamp);
    if (Math.min(back, ahead) > this.#toleranceMs) return undefined;
    if (back <= ahead) {
      const free = before !== undefined && back < distance(this.#state.left, before.timestamp);
      return free ? before : undefined;
    }
    const next = this.#left.following;
    if (next === undefined) return "left";
    const isNeighbour = next.timestamp > after.timestamp;
    return isNeighbour && ahead <= distance(next.timestamp, after.timestamp) ? after : undefined;
  }
}

function distance(one: number | null, other: number): number {
  return one === null ? Infinity : Math.abs(one - other);
}

/** Frames of one camera, in order; which of them take part is known of all but the last. */
class Row {
  readonly #frames: { readonly frame: Frame; readonly astray: boolean }[] = [];
  /** A frame far ahead of those before it, which the next one confirms or refutes. */
  #doubtful: Frame | undefined;
  #last: number | null;

  /** @param last capture time of the last frame that took part. */
  constructor(last: number | null) {
    this.#last = last;
  }

  get head(): { readonly frame: Frame; readonly astray: boolean } | undefined {
    return this.#frames[0];
  }

  get first(): number | undefined {
    return (this.#frames[0]?.frame ?? this.#doubtful)?.offset;
  }

  /** The frame after the head that takes part. */
  get following(): Frame | undefined {
    return this.#frames.find(({ astray }, index) => index > 0 && !astray)?.frame;
  }

  push(frame: Frame): void {
    const doubtful = this.#doubtful;
    if (doubtful !== undefined) {
      this.#doubtful = undefined;
      const astray = frame.timestamp < doubtful.timestamp - MAX_STEP_MS;
      if (!astray) this.#last = doubtful.timestamp;
      this.#frames.push({ frame: doubtful, astray });
    }
    if (this.#last === null || frame.timestamp > this.#last + MAX_STEP_MS) this.#doubtful = frame;
    else {
      this.#last = frame.timestamp;
      this.#frames.push({ frame, astray: false });
    }
  }

  shift(): void {
    this.#frames.shift();
  }

  skip(offset: number): void {
    while (this.#frames[0] !== undefined && this.#frames[0].frame.offset < offset) this.shift();
    if (this.#doubtful !== undefined && this.#doubtful.offset < offset) this.#doubtful = undefined;
  }
}
