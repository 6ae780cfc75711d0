// What cuts windows: frames in, windows out, and where to start again.
import type { Frame, Window } from "../definition/frame.ts";

/** A point to start again from: the frame to read first, and the windower's state before it. */
export interface RestartPoint {
  readonly offset: number;
  readonly state: WindowerState;
}

/** The windower's state between two frames when no window is open. Plain numbers. */
export interface WindowerState {
  /** Samples since the grid began. */
  readonly samples: number;
  /** Frames since the grid began, for `every`. */
  readonly seen: number;
  /** Capture time where the grid began. */
  readonly origin: number | null;
  /** Last tick taken, for `fps`. */
  readonly tick: number;
  /** Capture time of the last frame. */
  readonly last: number | null;
  /** Windows that start before this time are closed. */
  readonly closed: number | null;
  /** Highest capture time seen, for time windows. */
  readonly highest: number | null;
  /** Time windows that have begun and hold frames from before; none when absent. */
  readonly begun?: readonly number[];
}

/** Cuts one partition's frames into windows. */
export interface Windower {
  /** Takes the next frame in offset order; returns the windows that it completes. */
  push(frame: Frame): Window[];
  /**
   * True when `push` of this frame would take it as a sample. One that is not wanted may still be held
   * for ticks at which no frame comes.
   */
  wants(frame: Frame): boolean;
  /** Closes the open windows as if their time were over; what comes next begins new ones. */
  flush(): Window[];
  /** Where a new windower must start to be where this one is; undefined when no window is open. */
  restartPoint(): RestartPoint | undefined;
  /** State after the last frame, for a start without open windows. */
  state(): WindowerState;
  /** Whether a window is open. */
  readonly hasOpen: boolean;
  /** Frames that open windows hold. */
  readonly held: number;
  /** Bytes of their images. */
  readonly heldBytes: number;
  /** Frames that came too late for any window. */
  readonly late: number;
  /** Frames whose capture time was too far ahead to be believed, and that no window has. */
  readonly ahead: number;
  /** Windows that end at or before this capture time are closed; undefined where time closes none. */
  readonly watermark: number | undefined;
}

/** The window of some frames, one at least; `number` tells apart those that begin with the same frame. */
export function windowOf(frames: readonly Frame[], gaps = 0, number = 0): Window {
  const first = frames[0]!;
  const last = frames.at(-1)!;
  return {
    topic: first.topic,
    partition: first.partition,
    key: last.key,
    frames,
    firstOffset: first.offset,
    lastOffset: last.offset,
    ...(number === 0 ? {} : { number }),
    firstTimestamp: first.timestamp,
    lastTimestamp: last.timestamp,
    gaps,
  };
}
