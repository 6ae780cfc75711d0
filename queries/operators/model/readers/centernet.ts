// Objects as peaks of a heat map.
import type { Candidates } from "./candidates.ts";
import type { Decode } from "./head_tensors.ts";
import { activationOf } from "./numbers.ts";
import { unreadable } from "./reader.ts";

/**
 * Adds the peaks of a heat map: cells from the threshold up that none of their eight neighbours
 * exceeds; of equal neighbours the first one counts.
 *
 * The boxes come as four channels (from a cell to the left, top, right and bottom side, in input
 * pixels) or as two (width and height, in cells), then with the offsets of the middle, if there are any.
 */
export const addPeaks: Decode = (output, { main, boxes, offsets, width: inputWidth }, found) => {
  const { data, shape } = main;
  const [channels, height, width] = shape;
  if (!channels || !height || !width || shape.length > 3) {
    throw unreadable(output.name, shape, "channels of rows of cells");
  }
  const plane = width * height;
  const sides = boxes!.data, sizes = boxes!.data.length / plane;
  if (sizes !== 4 && sizes !== 2) {
    throw unreadable(output.boxes!, boxes!.shape, `2 or 4 channels of ${height}x${width} cells`);
  }
  const stride = inputWidth / width;
  const activate = activationOf(output), { threshold, activation } = output;
  const least = activation === "sigmoid" ? Math.log(threshold / (1 - threshold)) : threshold;
  for (const at of indexesFrom(data, least)) {
    const cell = at % plane;
    if (!isPeak(data, at, cell, width, plane)) continue;
    const kind = Math.floor(at / plane);
    const peak = { cell, score: activate(data[at]!), kind, at, width, plane, stride };
    add(found, peak, sides, sizes, offsets?.data);
  }
};

/** Indexes of the numbers that are at least this large. Apart, since this loop takes most of the time. */
function indexesFrom(data: ArrayLike<number>, least: number): number[] {
  const found: number[] = [];
  const { length } = data;
  for (let at = 0; at < length; at++) if (data[at]! >= least) found.push(at);
  return found;
}

interface Peak {
  readonly cell: number;
  readonly score: number;
  readonly kind: number;
  readonly at: number;
  readonly width: number;
  readonly plane: number;
  readonly stride: number;
}

function add(
  found: Candidates,
  { cell, score, kind, at, width, plane, stride }: Peak,
  sides: ArrayLike<number>,
  sizes: number,
  offsets: ArrayLike<number> | undefined,
): void {
  const x = (cell % width + (offsets?.[cell] ?? 0)) * stride;
  const y = (Math.floor(cell / width) + (offsets?.[cell + plane] ?? 0)) * stride;
  const side = (channel: number) => sides[channel * plane + cell]!;
  if (sizes === 4) {
    found.add(x - side(0), y - side(1), x + side(2), y + side(3), score, kind, at);
    return;
  }
  const w = side(0) * stride / 2, h = side(1) * stride / 2;
  found.add(x - w, y - h, x + w, y + h, score, kind, at);
}

function isPeak(
  data: ArrayLike<number>,
  at: number,
  cell: number,
  width: number,
  plane: number,
): boolean {
  const score = data[at]!, x = cell % width;
  const left = x > 0, right = x < width - 1;
  const above = cell >= width, below = cell + width < plane;
  const earlier = (other: number) => !(data[other]! >= score);
  const later = (other: number) => !(data[other]! > score);
  return (!left || earlier(at - 1)) && (!right || later(at + 1)) &&
    (!above || (earlier(at - width) && (!left || earlier(at - width - 1)) &&
      (!right || earlier(at - width + 1)))) &&
    (!below || (later(at + width) && (!left || later(at + width - 1)) &&
      (!right || later(at + width + 1))));
}
