// What pairs are, computed from all frames of two cameras at once: the definition that the engine, which
// sees one frame after the other, is compared with.
import type { Frame } from "../../../runtime/definition/frame.ts";
import type { Random } from "../../support/random.ts";

type Timed = Pick<Frame, "offset" | "timestamp">;

/** A step longer than this is believed when the next frame confirms it, milliseconds. */
const LONGEST_STEP = 60_000;

/** The frames that take part. */
function believed(frames: readonly Timed[]): Timed[] {
  const kept: Timed[] = [];
  frames.forEach((frame, index) => {
    const last = kept.at(-1);
    const isFar = last === undefined || frame.timestamp - last.timestamp > LONGEST_STEP;
    const next = frames[index + 1];
    if (isFar && next !== undefined && frame.timestamp - next.timestamp > LONGEST_STEP) return;
    kept.push(frame);
  });
  return kept;
}

/** Offsets of all pairs: left, right. */
export function pairsOf(
  left: readonly Timed[],
  right: readonly Timed[],
  toleranceMs: number,
): [number, number][] {
  const [lefts, rights] = [believed(left), believed(right)];
  const row: { readonly side: string; readonly frame: Timed }[] = [];
  while (lefts.length + rights.length > 0) {
    const [l, r] = [lefts[0], rights[0]];
    const isLeft = r === undefined || l !== undefined && l.timestamp <= r.timestamp;
    row.push({ side: isLeft ? "left" : "right", frame: (isLeft ? lefts : rights).shift()! });
  }
  const apart = (a: Timed, b: Timed) => Math.abs(a.timestamp - b.timestamp);
  const pairs: [number, number][] = [];
  for (let i = 0; i + 1 < row.length; i++) {
    const [one, two] = [row[i]!, row[i + 1]!];
    if (one.side === two.side || apart(one.frame, two.frame) > toleranceMs) continue;
    const before = row.slice(0, i).findLast(({ side }) => side === two.side);
    const behind = row.slice(i + 2).find(({ side }) => side === one.side);
    const here = apart(one.frame, two.frame);
    if (before !== undefined && apart(before.frame, one.frame) <= here) continue;
    if (behind !== undefined && apart(behind.frame, two.frame) < here) continue;
    const [l, r] = one.side === "left" ? [one, two] : [two, one];
    pairs.push([l.frame.offset, r.frame.offset]);
  }
  return pairs.sort(([a], [b]) => a - b);
}

/** Pairs of frames of which each is the other's nearest, by comparing all with all; for clocks that only go forward. */
export function mutuallyNearest(
  left: readonly Timed[],
  right: readonly Timed[],
  toleranceMs: number,
): [number, number][] {
  const nearest = (frame: Timed, others: readonly Timed[]) =>
    others.reduce((best, other) =>
      Math.abs(other.timestamp - frame.timestamp) < Math.abs(best.timestamp - frame.timestamp)
        ? other
        : best
    );
  return left.flatMap((frame): [number, number][] => {
    const other = nearest(frame, right);
    return nearest(other, left) === frame &&
        Math.abs(frame.timestamp - other.timestamp) <= toleranceMs
      ? [[frame.offset, other.offset]]
      : [];
  });
}

/** Capture times of a camera whose clock advances, jitters, stands still, goes back, or is far off for a frame. */
export function randomClock(random: Random, frames: number, wild: boolean): number[] {
  const times: number[] = [];
  let time = random.whole(100_000, 100_200);
  for (let i = 0; i < frames; i++) {
    time += wild ? random.whole(0, 60) : 1 + random.next() * 60;
    const odd = wild ? random.next() : 1;
    if (odd < 0.04) time -= random.whole(1, 200);
    else if (odd < 0.06) time += random.whole(100, 3_000);
    else if (odd < 0.07) time += random.pick([-1, 1]) * 90_000;
    times.push(odd > 0.07 && odd < 0.09 ? time + random.pick([-1, 1]) * 3_600_000 : time);
  }
  return times;
}

/** Times that decide all frames before them. */
export function ending(times: readonly number[]): number[] {
  const end = Math.max(...times) + 1e8;
  return [0, 1, 2, 3].map((n) => end + n * 1e6);
}
