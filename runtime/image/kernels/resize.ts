// Bilinear resizing, with the values of OpenCV's `INTER_LINEAR`. A row is an address in the kernels' memory,
// four bytes for each pixel.
import type { Crop } from "../placement.ts";
import type { Kernels } from "./kernels.ts";

type Size = Pick<Crop, "width" | "height">;

/** Returns the address of row `y` of a picture's part: `to`, if the row had to be written. */
export type ReadRow = (y: number, to: number) => number;

/** Weights are multiples of 1/2048. */
const ONE = 2048;

/** For each output position: the two input positions it mixes, and their weights. */
interface Taps {
  readonly first: Int32Array;
  readonly second: Int32Array;
  readonly firstWeight: Int32Array;
  readonly secondWeight: Int32Array;
}

const cache = new Map<string, Taps>();
const CACHED = 64;

function tapsOf(from: number, to: number): Taps {
  const key = `${from}:${to}`;
  const cached = cache.get(key);
  if (cached !== undefined) return cached;
  const taps: Taps = {
    first: new Int32Array(to),
    second: new Int32Array(to),
    firstWeight: new Int32Array(to),
    secondWeight: new Int32Array(to),
  };
  const scale = 1 / (to / from);
  for (let i = 0; i < to; i++) {
    const position = Math.fround((i + 0.5) * scale - 0.5);
    const first = Math.floor(position);
    const fraction = Math.fround(position - first);
    taps.first[i] = Math.max(0, Math.min(first, from - 1));
    taps.second[i] = Math.max(0, Math.min(first + 1, from - 1));
    // At an edge both are the same pixel, but the split still affects rounding.
    taps.secondWeight[i] = roundHalfEven(fraction * ONE);
    taps.firstWeight[i] = ONE - taps.secondWeight[i]!;
  }
  if (cache.size >= CACHED) cache.clear();
  cache.set(key, taps);
  return taps;
}

function roundHalfEven(value: number): number {
  const floor = Math.floor(value);
  const rest = value - floor;
  if (rest !== 0.5) return Math.round(value);
  return floor % 2 === 0 ? floor : floor + 1;
}

/** Writes taps as the kernel expects them: the position of the first pixel in bytes, both weights. */
function writeTaps(
  kernels: Kernels,
  { first, second, firstWeight, secondWeight }: Taps,
): number {
  const at = kernels.reserve(8 * (first.length + 3));
  const to = kernels.longs;
  // The kernel takes four at a time.
  const length = (first.length + 3) & ~3;
  for (let i = 0, place = at >> 2; i < length; i++, place += 2) {
    const isEdge = first[i] === second[i];
    to[place] = 4 * (first[i] ?? 0);
    // At an edge both are the same pixel, which gets the whole weight.
    to[place + 1] = isEdge ? ONE : secondWeight[i]! << 16 | firstWeight[i]!;
  }
  return at;
}

/**
 * Resizes a part of a picture, row by row.
 *
 * @param take receives each output row from the top, valid until it returns
 */
export function resizeRows(
  kernels: Kernels,
  read: ReadRow,
  crop: Size,
  { width, height }: Size,
  take: (row: number, y: number) => void,
): void {
  const { functions } = kernels;
  const row = kernels.reserve(4 * width), source = kernels.reserve(4 * crop.width);
  if (crop.width === width && crop.height === height) {
    for (let y = 0; y < height; y++) take(read(y, row), y);
    return;
  }
  if (crop.width === 2 * width && crop.height === 2 * height) {
    // OpenCV averages 2×2 pixels.
    const next = kernels.reserve(4 * crop.width);
    for (let y = 0; y < height; y++) {
      functions.halve(read(2 * y, source), read(2 * y + 1, next), row, row + 4 * width);
      take(row, y);
    }
    return;
  }
  const columns = writeTaps(kernels, tapsOf(crop.width, width));
  const { first, second, firstWeight, secondWeight } = tapsOf(crop.height, height);
  // Two horizontally resized input rows; each is used for several output rows.
  let upper = kernels.reserve(8 * width), lower = kernels.reserve(8 * width);
  let upperRow = -1, lowerRow = -1;
  const across = (y: number, to: number) =>
    functions.across(read(y, source), columns, to, to + 8 * width);
  for (let y = 0; y < height; y++) {
    const one = first[y]!, other = second[y]!;
    if (one !== upperRow) {
      if (one === lowerRow) [upper, lower, lowerRow] = [lower, upper, upperRow];
      else across(one, upper);
      upperRow = one;
    }
    if (other !== lowerRow) {
      across(other, lower);
      lowerRow = other;
    }
    functions.down(upper, lower, firstWeight[y]!, secondWeight[y]!, row, row + 4 * width);
    take(row, y);
  }
}
