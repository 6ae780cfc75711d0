// Capture times to times in a file, which only grow.

/** Where a timeline is. All in milliseconds. */
export interface TimePoint {
  /** Since the file's first picture. */
  readonly time: number;
  /** Capture time, epoch. */
  readonly timestamp: number;
  /** From the picture before to this one; of a first one a guess. */
  readonly delta: number;
}

/** What a picture lasts when nothing better is known. */
export const NOMINAL_MS = 40;
/** A longer pause is taken for a clock that was set. */
const LONGEST_MS = 24 * 3_600_000;

/**
 * The next point. Capture times that stand still, go back or leap by more than a day (a camera that
 * began again, a clock that was set) count as one picture's usual time.
 */
export function nextPoint(last: TimePoint | undefined, timestamp: number): TimePoint {
  if (last === undefined) return { time: 0, timestamp, delta: NOMINAL_MS };
  const passed = Math.round(timestamp - last.timestamp);
  const delta = passed > 0 && passed <= LONGEST_MS ? passed : last.delta;
  return { time: last.time + delta, timestamp, delta };
}
