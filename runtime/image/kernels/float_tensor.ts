// Pictures to tensors of floats in one pass: a row's colours, its resizing, its floats.
import type { RawImage } from "../raw.ts";
import { fillColours } from "../tensor_spec.ts";
import { type Crop, type RowSteps, type Taps, tapsOf, walkRows } from "../resize.ts";
import type { Planes } from "./half_size.ts";
import type { Kernels } from "./kernels.ts";
import { FLOATS } from "./layout.ts";

/** How samples become floats, and where they lie. */
export interface FloatLayout {
  /** Pixels of the tensor. */
  readonly width: number;
  readonly height: number;
  readonly color: "RGB" | "BGR";
  readonly order: "HWC" | "CHW";
  /** A sample of 0 to 255 becomes `sample * factor + offset`, in the order of `color`. */
  readonly factors: readonly number[];
  readonly offsets: readonly number[];
  /** What fills the bars of a letterbox, for each colour. */
  readonly bars: readonly number[];
}

/**
 * Where rows of a picture come from: the address of the wanted part of one, four bytes for each pixel;
 * `to`, if it must be written first.
 */
export type ReadRow = (y: number, to: number) => number;

/** Rows of planes that the kernels decoded. */
export function planeRows(
  kernels: Kernels,
  planes: Planes,
  { left, top, width }: Crop,
): ReadRow {
  const { stride, luma, blue, red } = planes;
  return (y, to) => {
    const at = (top + y) * stride + left;
    kernels.functions.colours(luma + at, blue + at, red + at, to, to + 4 * width);
    return to;
  };
}

/** Rows of a picture of three channels, which is copied into the kernels' memory. */
export function pictureRows(
  kernels: Kernels,
  { data, width: whole, channels }: RawImage,
  { left, top, width, height }: Crop,
): ReadRow {
  kernels.clear();
  const stride = whole * channels;
  const copy = kernels.reserve(height * stride);
  kernels.bytes.set(data.subarray(top * stride, (top + height) * stride), copy);
  return (y, to) => {
    kernels.functions.widen(copy + y * stride + left * channels, to, to + 4 * width);
    return to;
  };
}

/** Rows of a picture of four bytes for each pixel that lies in the kernels' memory. */
export function rowsAt(picture: number, width: number, { left, top }: Crop): ReadRow {
  return (y) => picture + 4 * ((top + y) * width + left);
}

/**
 * Resizes `crop` to `content` of a tensor and turns it into floats; the values of the samples are those
 * of `resizeRows`.
 *
 * @param read gives rows of `crop`; reserved memory stays as it is
 */
export function fillFloats(
  kernels: Kernels,
  read: ReadRow,
  crop: Crop,
  content: Crop,
  layout: FloatLayout,
  tensor: Float32Array<ArrayBuffer>,
): void {
  const output = kernels.reserve(4 * tensor.length);
  const isWhole = content.width === layout.width && content.height === layout.height;
  const write = floatWriter(kernels, content, layout, output);
  if (!isWhole) {
    const floats = kernels.floats.subarray(output >> 2, (output >> 2) + tensor.length);
    fillColours(floats, layout.order, layout.bars);
  }
  walkRows(crop, content, kernelSteps(kernels, read, crop, content), write);
  tensor.set(kernels.floats.subarray(output >> 2, (output >> 2) + tensor.length));
}

type WriteRow = (row: number, y: number) => void;

/** Turns rows into floats. Kernels take four pixels at a time; the rest is copied through a buffer. */
function floatWriter(
  kernels: Kernels,
  { left, top, width }: Crop,
  { width: whole, height, color, order, factors, offsets }: FloatLayout,
  output: number,
): WriteRow {
  const rest = width % 4, even = width - rest;
  const detour = kernels.reserve(64);
  const { functions } = kernels;
  const of = (values: readonly number[], i: number) =>
    order === "HWC" ? values[i % 3]! : values[Math.floor(i / 4)]!;
  for (let i = 0; i < 12; i++) {
    kernels.floats[(FLOATS >> 2) + i] = of(factors, i);
    kernels.floats[(FLOATS >> 2) + 12 + i] = of(offsets, i);
  }
  if (order === "HWC") {
    const convert = color === "RGB" ? functions.pixelsRgb : functions.pixelsBgr;
    return (row, y) => {
      const to = output + 12 * ((top + y) * whole + left);
      if (even > 0) convert(row, to, row + 4 * even);
      if (rest === 0) return;
      convert(row + 4 * even, detour, row + 4 * even + 1);
      kernels.floats.copyWithin((to >> 2) + 3 * even, detour >> 2, (detour >> 2) + 3 * rest);
    };
  }
  const convert = color === "RGB" ? functions.planesRgb : functions.planesBgr;
  const plane = whole * height;
  return (row, y) => {
    const to = output + 4 * ((top + y) * whole + left);
    if (even > 0) convert(row, to, 4 * plane, row + 4 * even);
    if (rest === 0) return;
    convert(row + 4 * even, detour, 16, row + 4 * even + 1);
    for (let c = 0; c < 3; c++) {
      const from = (detour >> 2) + 4 * c;
      kernels.floats.copyWithin((to >> 2) + c * plane + even, from, from + rest);
    }
  };
}

/** Rows in the kernels' memory, by their addresses: four bytes for each pixel. */
function kernelSteps(
  kernels: Kernels,
  read: ReadRow,
  crop: Crop,
  { width }: Crop,
): RowSteps<number> {
  const { functions } = kernels;
  const row = kernels.reserve(4 * width), source = kernels.reserve(4 * crop.width);
  const next = kernels.reserve(4 * crop.width);
  let columns = 0;
  return {
    copied: (y) => read(y, row),
    halved: (y) => {
      functions.halve(read(2 * y, source), read(2 * y + 1, next), row, row + 4 * width);
      return row;
    },
    wide: () => {
      columns = writeTaps(kernels, tapsOf(crop.width, width, 4));
      return [kernels.reserve(8 * width), kernels.reserve(8 * width)];
    },
    across: (y, to) => {
      functions.across(read(y, source), columns, to, to + 8 * width);
    },
    mixed: (upper, lower, upperWeight, lowerWeight) => {
      functions.down(upper, lower, upperWeight, lowerWeight, row, row + 4 * width);
      return row;
    },
  };
}

/** Writes taps as the kernel wants them: both pixels side by side, the weights of both. */
function writeTaps(
  kernels: Kernels,
  { first, second, firstWeight, secondWeight }: Taps,
): number {
  const at = kernels.reserve(8 * first.length);
  const to = kernels.longs;
  // The kernel takes four at a time.
  const length = (first.length + 3) & ~3;
  for (let i = 0, place = at >> 2; i < length; i++, place += 2) {
    const isEdge = first[i] === second[i];
    to[place] = first[i] ?? 0;
    // At an edge both are the same pixel: all of the weight is its own.
    to[place + 1] = isEdge ? ONE : secondWeight[i]! << 16 | firstWeight[i]!;
  }
  return at;
}

/** The whole of a weight. */
const ONE = 2048;
