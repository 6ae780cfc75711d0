// How windows are cut, and what of that makes sense.
import {
  ABOVE_ZERO,
  FROM_ZERO,
  oneOf,
  optionFaults,
  type OptionRows,
  whole,
} from "../base/options.ts";

/** What happens to open windows where the stream has a gap. */
export type GapPolicy = "reset" | "drop" | "pad";

/** How windows are cut. */
export interface WindowOptions {
  /** Frames in a window (after resampling). Either this or `durationMs`. */
  readonly frames?: number;
  /** A window starts every `hop` frames; `frames` unless given. Only with `frames`. */
  readonly hop?: number;
  /** Length of a window in capture time, milliseconds. Either this or `frames`. */
  readonly durationMs?: number;
  /** A window starts every `hopMs`, aligned to the epoch; `durationMs` unless given. */
  readonly hopMs?: number;
  /**
   * Resamples to this many frames per second of capture time: each tick takes the frame nearest
   * to it; where the camera is slower, the frame before is held.
   */
  readonly fps?: number;
  /** Takes every n-th frame. Not together with `fps`. */
  readonly every?: number;
  /**
   * Capture times further apart than this, forward or backward, are a gap. Without it there are no
   * gaps, but for `fps`, where the default is one second or four ticks, whichever is longer.
   */
  readonly maxGapMs?: number;
  /**
   * - `reset` (default): open windows are thrown away, the first frame after the gap starts afresh;
   * - `drop`: windows with the gap inside are thrown away, the grid of window starts continues;
   * - `pad`: open windows are completed by repeating their last frame, then as `reset`.
   */
  readonly gap?: GapPolicy;
  /**
   * How late a frame may be and still join its time window, milliseconds. Only with `durationMs`, and
   * not with `fps`: a tick is taken once.
   */
  readonly latenessMs?: number;
  /**
   * Longest step of capture time, milliseconds, that one frame alone can make a time window end by.
   * One further ahead waits for the next frame: if that is as far, time did move on; else it joins no
   * window and is counted. Only with `durationMs`; default 60,000 or two windows, whichever is longer.
   */
  readonly maxStepMs?: number;
  /**
   * Closes open windows when no frame has come for this long, milliseconds by the clock, and at the end
   * of a query that takes all there is. Off by default. With `frames` it needs `gap: "pad"`.
   */
  readonly silenceMs?: number;
}

/** The longest step that is believed at once, unless given, milliseconds. */
export const MAX_STEP_MS = 60_000;

/** Windows that one frame may be in, and ticks that one gap may hold: more hold the thread. */
const MOST = 10_000;
/** Frames a second that no camera has. */
const MOST_FPS = 1_000;

const ROWS: OptionRows<WindowOptions> = {
  frames: whole(1),
  hop: whole(1),
  durationMs: ABOVE_ZERO,
  hopMs: ABOVE_ZERO,
  fps: {
    accepted: `a number above 0, at most ${MOST_FPS}`,
    takes: (value) => ABOVE_ZERO.takes(value) && Number(value) <= MOST_FPS,
  },
  every: whole(1),
  maxGapMs: ABOVE_ZERO,
  gap: oneOf("reset", "drop", "pad"),
  latenessMs: FROM_ZERO,
  maxStepMs: ABOVE_ZERO,
  silenceMs: ABOVE_ZERO,
};

/**
 * Checks window options.
 *
 * @returns the options with defaults filled in.
 * @throws {RangeError} naming every fault: field, given, accepted.
 */
export function checkWindowOptions(options: WindowOptions): WindowOptions {
  const faults = optionFaults(options, ROWS);
  if (typeof options !== "object" || options === null) throw refusal(faults);
  if ((options.frames === undefined) === (options.durationMs === undefined)) {
    faults.push("frames, durationMs: expected exactly one of them");
  }
  if (options.frames === undefined && options.hop !== undefined) {
    faults.push("hop: goes with frames; with durationMs use hopMs");
  }
  if (options.durationMs === undefined && options.hopMs !== undefined) {
    faults.push("hopMs: goes with durationMs; with frames use hop");
  }
  if (options.fps !== undefined && options.every !== undefined) {
    faults.push("fps, every: expected at most one of them");
  }
  if (options.durationMs === undefined && options.maxStepMs !== undefined) {
    faults.push("maxStepMs: goes with durationMs");
  }
  if (options.frames !== undefined && options.silenceMs !== undefined && options.gap !== "pad") {
    faults.push('silenceMs: with frames it needs gap "pad", which fills windows up');
  }
  if (options.latenessMs !== undefined) {
    if (options.fps !== undefined) {
      faults.push("latenessMs, fps: expected at most one of them; a tick is taken once");
    }
    if (options.durationMs === undefined) faults.push("latenessMs: goes with durationMs");
  }
  if (options.gap === "pad" && options.durationMs !== undefined) {
    faults.push(
      "gap: pad goes with frames; a window by time has no number of frames to fill up to",
    );
  }
  const { frames, hop, durationMs, hopMs, fps } = options;
  const maxGapMs = options.maxGapMs ?? (fps !== undefined ? Math.max(1000, 4000 / fps) : undefined);
  if (frames !== undefined && hop !== undefined && frames > MOST * hop) {
    faults.push(`hop: expected at least frames / ${MOST}, given ${hop}`);
  }
  if (durationMs !== undefined && hopMs !== undefined && durationMs > MOST * hopMs) {
    faults.push(`hopMs: expected at least durationMs / ${MOST}, given ${hopMs}`);
  }
  if (fps !== undefined && maxGapMs! * fps > MOST * 1000) {
    faults.push(
      `maxGapMs: expected at most ${MOST} ticks of fps (${MOST * 1000 / fps}), given ${maxGapMs}`,
    );
  }
  if (faults.length > 0) throw refusal(faults);
  return {
    ...options,
    gap: options.gap ?? "reset",
    ...(options.durationMs !== undefined
      ? { maxStepMs: options.maxStepMs ?? Math.max(MAX_STEP_MS, 2 * options.durationMs) }
      : {}),
    ...(maxGapMs !== undefined ? { maxGapMs } : {}),
  };
}

function refusal(faults: readonly string[]): RangeError {
  return new RangeError(`Cannot use window options: ${faults.join("; ")}`);
}
