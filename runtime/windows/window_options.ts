/**
 * How windows are cut, and what of that makes sense.
 *
 * @module
 */

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
   * Resamples to so many frames per second of capture time: each tick takes the first frame within
   * half a tick of it; where the camera is slower, the frame before is held.
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
   * - `drop`: windows with the gap inside are thrown away, the grid of window starts goes on;
   * - `pad`: open windows are completed by repeating their last frame, then as `reset`.
   */
  readonly gap?: GapPolicy;
  /** How late a frame may be and still join its time window, milliseconds. Only with `durationMs`. */
  readonly latenessMs?: number;
}

/**
 * Checks window options.
 *
 * @returns the options with defaults filled in.
 * @throws {RangeError} naming every fault: field, given, accepted.
 */
export function checkWindowOptions(options: WindowOptions): WindowOptions {
  const faults: string[] = [];
  const whole = (name: keyof WindowOptions) => {
    const value = options[name];
    if (value !== undefined && (!Number.isInteger(value) || (value as number) < 1)) {
      faults.push(`${name}: expected a whole number from 1 up, given ${String(value)}`);
    }
  };
  const positive = (name: keyof WindowOptions) => {
    const value = options[name];
    if (value !== undefined && !(Number.isFinite(value) && (value as number) > 0)) {
      faults.push(`${name}: expected a number above 0, given ${String(value)}`);
    }
  };
  for (const name of ["frames", "hop", "every"] as const) whole(name);
  for (const name of ["durationMs", "hopMs", "fps", "maxGapMs"] as const) positive(name);
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
  if (options.latenessMs !== undefined) {
    if (options.durationMs === undefined) faults.push("latenessMs: goes with durationMs");
    if (!(options.latenessMs >= 0)) {
      faults.push(`latenessMs: expected a number from 0 up, given ${options.latenessMs}`);
    }
  }
  if (options.gap !== undefined && !["reset", "drop", "pad"].includes(options.gap)) {
    faults.push(`gap: expected reset, drop or pad, given ${String(options.gap)}`);
  }
  if (options.gap === "pad" && options.durationMs !== undefined) {
    faults.push(
      "gap: pad goes with frames; a window by time has no number of frames to fill up to",
    );
  }
  if (faults.length > 0) throw new RangeError(`Cannot use window options: ${faults.join("; ")}`);
  const maxGapMs = options.maxGapMs ??
    (options.fps !== undefined ? Math.max(1000, 4000 / options.fps) : undefined);
  return {
    ...options,
    gap: options.gap ?? "reset",
    ...(maxGapMs !== undefined ? { maxGapMs } : {}),
  };
}
