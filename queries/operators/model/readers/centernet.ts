// Objects as peaks of a heat map.
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
  const stride = inputWidth / width, unit = sizes === 4 ? 1 : stride / 2;
  const activate = activationOf(output), { threshold, activation } = output;
  const least = activation === "sigmoid" ? Math.log(threshold / (1 - threshold)) : threshold;
  for (const at of indexesFrom(data, least)) {
    const cell = at % plane, column = cell % width, row = Math.floor(cell / width);
    if (!isPeak(data, at, cell, width, plane)) continue;
    const x = (column + (offsets?.data[cell] ?? 0)) * stride;
    const y = (row + (offsets?.data[cell + plane] ?? 0)) * stride;
    const side = (channel: number) => sides[(channel % sizes) * plane + cell]! * unit;
    const score = activate(data[at]!), kind = Math.floor(at / plane);
    found.add(x - side(0), y - side(1), x + side(2), y + side(3), score, kind, at);
  }
};

/** Indexes of the numbers that are at least this large. Apart, since this loop takes most of the time. */
function indexesFrom(data: ArrayLike<number>, least: number): number[] {
  const found: number[] = [];
  const { length } = data;
  for (let at = 0; at < length; at++) if (data[at]! >= least) found.push(at);
  return found;
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
