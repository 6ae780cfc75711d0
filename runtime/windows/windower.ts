// The interface of windowers: frames in, windows out, and restart points.
import type { Frame, Window } from "../definition/frame.ts";

/** A restart point: the frame to read first, and the windower's state before it. */
export interface RestartPoint {
  readonly offset: number;
  readonly state: WindowerState;
}

/** The windower's state between two frames without open windows. Plain numbers. */
export interface WindowerState {
  /** Samples since the start of the grid. */
  readonly samples: number;
  /** Frames since the start of the grid, for `every`. */
  readonly seen: number;
  /** Capture time at the start of the grid. */
  readonly origin: number | null;
  /** Last tick taken, for `fps`. */
  readonly tick: number;
  /** Capture time of the last frame. */
  readonly last: number | null;
  /** Windows that start before this time are closed. */
  readonly closed: number | null;
  /** Highest capture time seen, for time windows. */
  readonly highest: number | null;
  /** Time windows that contain frames before this state; absent if none. */
  readonly begun?: readonly number[];
  /** Length, hop and sampling of the windows; a state of others is not used. */
  readonly cut?: string;
}

/** Groups one partition's frames into windows. */
export interface Windower {
  /** Adds the next frame in offset order, and returns the windows that it completes. */
  push(frame: Frame): Window[];
  /** True if `push` would take this frame as a sample; others may still be held for ticks. */
  wants(frame: Frame): boolean;
  /** Closes the open windows early; the next frame starts new ones. */
  flush(): Window[];
  /** Where a new windower must start to reach the current state; undefined if no window is open. */
  restartPoint(): RestartPoint | undefined;
  /** State after the last frame, to restart without open windows. */
  state(): WindowerState;
  /** True if a window is open. */
  readonly hasOpen: boolean;
  /** The number of frames in open windows. */
  readonly held: number;
  /** The bytes of their images. */
  readonly heldBytes: number;
  /** Frames too late for any window. */
  readonly late: number;
  /** Frames whose capture time was implausibly far ahead; they joined no window. */
  readonly ahead: number;
  /** Windows that end at or before this capture time are closed; undefined for count windows. */
  readonly watermark: number | undefined;
}

/** Makes a window of frames; `number` distinguishes those that start with the same frame. */
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
