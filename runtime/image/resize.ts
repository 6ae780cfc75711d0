// Bilinear resizing of 8-bit pictures, with the values of OpenCV's `INTER_LINEAR`.
import { PooledImage, type RawImage } from "./raw.ts";

/** A part of a picture in pixels. */
export interface Crop {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

/** Weights are multiples of 1/2048. */
const ONE = 2048;

/** For each output position: the two input samples it mixes, and their weights. */
export interface Taps {
  readonly first: Int32Array;
  readonly second: Int32Array;
  readonly firstWeight: Int32Array;
  readonly secondWeight: Int32Array;
}

const cache = new Map<string, Taps>();
const CACHED = 64;

/** Taps that resize a row of pixels; `step` is the distance between pixels in samples. */
export function tapsOf(from: number, to: number, step: number): Taps {
  const key = `${from}:${to}:${step}`;
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
    taps.first[i] = step * Math.max(0, Math.min(first, from - 1));
    taps.second[i] = step * Math.max(0, Math.min(first + 1, from - 1));
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

/**
 * Row operations, in JavaScript or in kernels. `Row` and `Wide` are references to a row of pixels and to a
 * horizontally resized row.
 */
export interface RowSteps<Row, Wide = Row> {
  /** Row `y` of the crop, unchanged. */
  copied(y: number): Row;
  /** Rows `2 * y` and `2 * y + 1` at half width: OpenCV averages 2×2 pixels. */
  halved(y: number): Row;
  /** Buffers for two horizontally resized rows. Called once, before `across`. */
  wide(): [Wide, Wide];
  across(y: number, to: Wide): void;
  /** Mixes two horizontally resized rows. */
  mixed(upper: Wide, lower: Wide, upperWeight: number, lowerWeight: number): Row;
}

/**
 * Resizes a part of a picture, row by row.
 *
 * @param take receives each output row from the top, valid until it returns
 */
export function walkRows<Row, Wide>(
  crop: Pick<Crop, "width" | "height">,
  { width, height }: Pick<Crop, "width" | "height">,
  steps: RowSteps<Row, Wide>,
  take: (row: Row, y: number) => void,
): void {
  if (crop.width === width && crop.height === height) {
    for (let y = 0; y < height; y++) take(steps.copied(y), y);
    return;
  }
  if (crop.width === 2 * width && crop.height === 2 * height) {
    for (let y = 0; y < height; y++) take(steps.halved(y), y);
    return;
  }
  const { first, second, firstWeight, secondWeight } = tapsOf(crop.height, height, 1);
  // Two horizontally resized input rows; each is used for several output rows.
  let [upper, lower] = steps.wide();
  let upperRow = -1, lowerRow = -1;
  for (let y = 0; y < height; y++) {
    const one = first[y]!, other = second[y]!;
    if (one !== upperRow) {
      if (one === lowerRow) [upper, lower, lowerRow] = [lower, upper, upperRow];
      else steps.across(one, upper);
      upperRow = one;
    }
    if (other !== lowerRow) {
      steps.across(other, lower);
      lowerRow = other;
    }
    take(steps.mixed(upper, lower, firstWeight[y]!, secondWeight[y]!), y);
  }
}

/**
 * Resizes a part of a picture, row by row.
 *
 * @param width output width in pixels
 * @param height output height in pixels
 * @param take receives each row from the top; the samples are valid until it returns
 */
export function resizeRows(
  image: RawImage,
  crop: Crop,
  width: number,
  height: number,
  take: (row: Uint8Array, y: number) => void,
): void {
  const { data, channels } = image;
  const stride = image.width * channels;
  const startOf = (y: number) => (crop.top + y) * stride + crop.left * channels;
  const row = new Uint8Array(width * channels);
  const columns = tapsOf(crop.width, width, channels);
  const steps: RowSteps<Uint8Array, Int32Array> = {
    copied: (y) => data.subarray(startOf(y), startOf(y) + row.length),
    halved: (y) => halve(data, startOf(2 * y), stride, channels, row),
    wide: () => [new Int32Array(row.length), new Int32Array(row.length)],
    across: (y, to) => acrossRow(data, startOf(y), columns, channels, to),
    mixed: (upper, lower, upperWeight, lowerWeight) => {
      down(upper, lower, upperWeight, lowerWeight, row);
      return row;
    },
  };
  walkRows(crop, { width, height }, steps, take);
}

/** Resizes a picture. */
export function resize(image: RawImage, width: number, height: number): RawImage {
  const result = new PooledImage(width, height, image.channels);
  const crop = { left: 0, top: 0, width: image.width, height: image.height };
  const stride = width * image.channels;
  resizeRows(image, crop, width, height, (row, y) => result.data.set(row, y * stride));
  return result;
}

/** Averages 2×2 pixels of two rows. */
function halve(
  data: Uint8Array,
  at: number,
  stride: number,
  channels: number,
  row: Uint8Array,
): Uint8Array {
  for (let out = 0; out < row.length; at += channels) {
    for (let c = 0; c < channels; c++, at++) {
      const upper = data[at]! + data[at + channels]!;
      row[out++] = (upper + data[at + stride]! + data[at + stride + channels]! + 2) >> 2;
    }
  }
  return row;
}

// Math.imul guarantees a 32-bit product, which makes these loops a third faster.

/** Resizes one row horizontally, to multiples of 16/2048, the precision of OpenCV's SIMD code. */
function acrossRow(
  data: Uint8Array,
  start: number,
  taps: Taps,
  channels: number,
  to: Int32Array,
): void {
  if (channels === 3) acrossColors(data, start, taps, to);
  else acrossChannels(data, start, taps, channels, to);
}

function acrossColors(data: Uint8Array, start: number, taps: Taps, to: Int32Array): void {
  const { first, second, secondWeight } = taps;
  const width = first.length;
  for (let x = 0, out = 0; x < width; x++, out += 3) {
    const p = start + first[x]!, q = start + second[x]!;
    const weight = secondWeight[x]!;
    const red = data[p]!, green = data[p + 1]!, blue = data[p + 2]!;
    to[out] = ((red << 11) + Math.imul(weight, data[q]! - red)) >> 4;
    to[out + 1] = ((green << 11) + Math.imul(weight, data[q + 1]! - green)) >> 4;
    to[out + 2] = ((blue << 11) + Math.imul(weight, data[q + 2]! - blue)) >> 4;
  }
}

function acrossChannels(
  data: Uint8Array,
  start: number,
  { first, second, secondWeight }: Taps,
  channels: number,
  to: Int32Array,
): void {
  const width = first.length;
  for (let x = 0, out = 0; x < width; x++) {
    const p = start + first[x]!, q = start + second[x]!;
    const weight = secondWeight[x]!;
    for (let c = 0; c < channels; c++) {
      const sample = data[p + c]!;
      to[out++] = ((sample << 11) + Math.imul(weight, data[q + c]! - sample)) >> 4;
    }
  }
}

function down(
  upper: Int32Array,
  lower: Int32Array,
  upperWeight: number,
  lowerWeight: number,
  to: Uint8Array,
): void {
  const length = to.length;
  for (let i = 0; i < length; i++) {
    const high = Math.imul(upperWeight, upper[i]!) >> 16;
    const low = Math.imul(lowerWeight, lower[i]!) >> 16;
    to[i] = (high + low + 2) >> 2;
  }
}
