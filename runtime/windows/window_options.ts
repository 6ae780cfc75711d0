// The options of windows, and their validation.
import { optionFaults } from "../base/fields.ts";
import { ABOVE_ZERO, FROM_ZERO, oneOf, type OptionRows, whole } from "../base/options.ts";

/** What happens to open windows at a gap in the stream. */
export type GapPolicy = "reset" | "drop" | "pad";

/** The options of windows. */
export interface WindowOptions {
  /** Frames in a window (after resampling). Either this or `durationMs`. */
  readonly frames?: number;
  /** A window starts every `hop` frames; `frames` by default. Only with `frames`. */
  readonly hop?: number;
  /** Length of a window in capture time, milliseconds. Either this or `frames`. */
  readonly durationMs?: number;
  /** A window starts every `hopMs`, aligned to the epoch; `durationMs` by default. */
  readonly hopMs?: number;
  /**
   * Resamples to this many frames per second of capture time: each tick takes the frame nearest to
   * it, or holds the previous one if the camera is slower.
   */
  readonly fps?: number;
  /** Takes every n-th frame. Not with `fps`. */
  readonly every?: number;
  /**
   * Capture times further apart than this, forward or backward, are a gap. By default there are no
   * gaps, except with `fps`: one second or four ticks, whichever is longer.
   */
  readonly maxGapMs?: number;
  /**
   * - `reset` (default): discards open windows, and starts again at the first frame after the gap;
   * - `drop`: discards windows that contain the gap, and continues the grid of window starts;
   * - `pad`: completes open windows by repeating their last frame, then as `reset`.
   */
  readonly gap?: GapPolicy;
  /** How late a frame may join a time window, milliseconds. Only with `durationMs`, not `fps`. */
  readonly latenessMs?: number;
  /**
   * Longest step of capture time, milliseconds, by which a single frame can end a time window. A
   * frame further ahead waits for the next one: if that is also as far ahead, time did move on;
   * otherwise the frame joins no window and is counted. Only with `durationMs`; default 60,000 or
   * two windows, whichever is longer.
   */
  readonly maxStepMs?: number;
  /**
   * Closes open windows after this long without a frame, milliseconds by the clock, and at the end
   * of a query with a finite trigger. Off by default. With `frames` it needs `gap: "pad"`.
   */
  readonly silenceMs?: number;
}

/** The default for `maxStepMs`, milliseconds. */
export const MAX_STEP_MS = 60_000;

/** Most windows per frame, and most ticks per gap: more would block the thread. */
const MOST = 10_000;
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
    faults.push('silenceMs: with frames it needs gap "pad", which completes windows');
  }
  if (options.latenessMs !== undefined) {
    if (options.fps !== undefined) {
      faults.push("latenessMs, fps: expected at most one of them; a tick is taken once");
    }
    if (options.durationMs === undefined) faults.push("latenessMs: goes with durationMs");
  }
  if (options.gap === "pad" && options.durationMs !== undefined) {
    faults.push(
      "gap: pad goes with frames; a time window has no fixed number of frames",
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
