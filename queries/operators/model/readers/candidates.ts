// Detected boxes, and non-maximum suppression.
import { type DetectedObject } from "../../../../runtime/mod.ts";
import { type Box, type Placement, toSource } from "../../../../runtime/image/mod.ts";
import { iouOf } from "../../iou.ts";
import { rounded } from "../../rounded.ts";

/** Most candidates that are compared with each other, the highest scores first. */
const MOST_COMPARED = 30_000;

/** Numbers of a candidate: box, score, class, row of the output. */
const NUMBERS = 7, SCORE = 4, CLASS = 5, ROW = 6;

/** Candidates in one array, without an object for each. */
export class Candidates {
  #numbers = new Float32Array(64 * NUMBERS);
  count = 0;

  /** Adds a box in pixels of the input, or of the frame. Drops invalid numbers and boxes. */
  add(
    left: number,
    top: number,
    right: number,
    bottom: number,
    score: number,
    kind: number,
    row: number,
  ): void {
    if (!(kind >= 0 && right >= left && bottom >= top)) return;
    const at = this.count * NUMBERS;
    if (at === this.#numbers.length) {
      const more = new Float32Array(4 * at);
      more.set(this.#numbers);
      this.#numbers = more;
    }
    this.#numbers.set([left, top, right, bottom, score, kind, row], at);
    // Checked as stored: float32 overflows before the decoders' numbers do.
    if (this.#numbers.subarray(at, at + NUMBERS).every(Number.isFinite)) this.count++;
  }

  /**
   * Drops the lower-scoring one of two candidates that overlap by more than `iou`.
   *
   * @param agnostic true compares across classes
   * @returns the indices of the others by score; among equals, the first added comes first.
   */
  select(iou: number, agnostic: boolean, most: number): number[] {
    const boxes = this.#numbers;
    const score = (at: number) => boxes[at * NUMBERS + SCORE]!;
    const kind = (at: number) => boxes[at * NUMBERS + CLASS]!;
    let order = Array.from({ length: this.count }, (_, i) => i)
      .sort((a, b) => score(b) - score(a) || a - b);
    if (iou >= 1) return order.slice(0, most);
    if (order.length > MOST_COMPARED) order = order.slice(0, MOST_COMPARED);
    const kept: number[] = [];
    for (const at of order) {
      if (kept.length === most) break;
      const isNew = kept.every((other) =>
        (!agnostic && kind(at) !== kind(other)) ||
        iouOf(boxes, boxes, at * NUMBERS, other * NUMBERS) <= iou
      );
      if (isNew) kept.push(at);
    }
    return kept;
  }

  /** Which row of the output a candidate came from. */
  rowOf(index: number): number {
    return this.#numbers[index * NUMBERS + ROW]!;
  }

  /**
   * A candidate as an object of the frame.
   *
   * @param inFrame whether boxes are already in pixels of the frame
   */
  objectOf(
    index: number,
    labelOf: (kind: number) => string,
    placement: Placement,
    inFrame: boolean,
  ): DetectedObject {
    const at = index * NUMBERS, boxes = this.#numbers;
    const box = [boxes[at]!, boxes[at + 1]!, boxes[at + 2]!, boxes[at + 3]!] as const;
    const [left, top, right, bottom] = inFrame
      ? insideOf(placement, box)
      : toSource(placement, box);
    return {
      label: labelOf(boxes[at + CLASS]!),
      score: rounded(boxes[at + SCORE]!),
      box: [tenths(left), tenths(top), tenths(right), tenths(bottom)],
    };
  }
}

function insideOf({ sourceWidth, sourceHeight }: Placement, [l, t, r, b]: Box): Box {
  const x = (value: number) => Math.min(sourceWidth, Math.max(0, value));
  const y = (value: number) => Math.min(sourceHeight, Math.max(0, value));
  return [x(l), y(t), x(r), y(b)];
}

/** A tenth of a pixel is finer than any model. */
export function tenths(value: number): number {
  return Math.round(value * 10) / 10;
}
