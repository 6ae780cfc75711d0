// The ticks of the time line: at round times of day.
import { clock, moment } from "./format.ts";

const DAY = 86_400;
const STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1_800, 3_600, 7_200, 21_600, 43_200, DAY];

/** A round interval that gives at most `most` ticks. */
export function tickStep(length: number, most: number): number {
  for (const seconds of STEPS) if (length / (seconds * 1_000) <= most) return seconds * 1_000;
  return Math.ceil(length / most / (DAY * 1_000)) * DAY * 1_000;
}

/** The ticks from `start` to `end`: what is round is the local time, also where clocks are set in between. */
export function tickTimes(start: number, end: number, step: number): number[] {
  const offset = (at: number) => new Date(at).getTimezoneOffset() * 60_000;
  const zone = offset(start), ticks: number[] = [];
  let last = start - 1;
  for (let local = Math.ceil((start - zone) / step) * step;; local += step) {
    const at = local + offset(local + zone);
    if (!(at <= end)) return ticks;
    // Where clocks go forward, the times of an hour that is not there are those of the hour before.
    if (at > last) ticks.push(last = at);
  }
}

/** The time of day; the date for a tick at midnight. */
export function tickLabel(at: number, step: number): string {
  if (step < 60_000) return clock(at);
  const minutes = clock(at).slice(0, 5);
  return minutes === "00:00" ? moment(at).slice(5, 10) : minutes;
}
