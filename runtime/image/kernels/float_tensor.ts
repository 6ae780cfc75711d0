// Pictures to tensors in one pass: a row's colours, its resizing, its floats, their type.
import type { Crop } from "../placement.ts";
import type { RawImage } from "../raw.ts";
import { fillColours, type TensorData, type TensorSpec } from "../tensor_spec.ts";
import type { Planes } from "./half_size.ts";
import type { Kernels } from "./kernels.ts";
import { FLOATS } from "./layout.ts";
import { type ReadRow, resizeRows } from "./resize.ts";

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

/** Rows of a picture of one or three channels. */
export function pictureRows(
  kernels: Kernels,
  { data, width: whole, channels }: RawImage,
  { left, top, width }: Crop,
): ReadRow {
  kernels.clear();
  const copy = kernels.reserve(channels * width);
  return (y, to) => {
    const { bytes, functions } = kernels;
    const at = channels * ((top + y) * whole + left);
    if (channels === 1) {
      for (let x = 0; x < width; x++) bytes[to + 4 * x] = data[at + x]!;
      return to;
    }
    bytes.set(data.subarray(at, at + channels * width), copy);
    functions.widen(copy, to, to + 4 * width);
    return to;
  };
}

/** Rows of a picture of four bytes for each pixel that lies in the kernels' memory. */
export function rowsAt(picture: number, width: number, { left, top }: Crop): ReadRow {
  return (y) => picture + 4 * ((top + y) * width + left);
}

/**
 * Resizes `crop` to `content` of a tensor. A sample becomes a float, and that what the tensor holds: bytes
 * are rounded, and clipped to 0 to 255.
 *
 * @param read gives rows of `crop`; reserved memory stays as it is
 */
export function fillTensor(
  kernels: Kernels,
  read: ReadRow,
  crop: Crop,
  content: Crop,
  spec: TensorSpec,
  tensor: TensorData,
): void {
  const samples = tensor instanceof Uint8Array ? new Uint8ClampedArray(tensor.buffer) : tensor;
  if (content.width < spec.width || content.height < spec.height) {
    const { scale, mean, std, pad = 0, color } = spec;
    const bars = std.map((one, c) => (pad * scale - mean[c]!) / one);
    fillColours(samples, spec.order, color === "GRAY" ? bars.slice(0, 1) : bars);
  }
  resizeRows(kernels, read, crop, content, rowWriter(kernels, content, spec, samples));
}

/** Turns rows of pixels into samples of a tensor. */
function rowWriter(
  kernels: Kernels,
  { left, top, width }: Crop,
  { width: whole, height, color, order, scale, mean, std }: TensorSpec,
  samples: Exclude<TensorData, Uint8Array> | Uint8ClampedArray,
): (row: number, y: number) => void {
  const { functions } = kernels;
  const inPixels = order === "HWC" && color !== "GRAY";
  const [red, blue] = color === "BGR" ? [2, 0] as const : [0, 2] as const;
  for (let i = 0; i < 12; i++) {
    const c = inPixels ? i % 3 : Math.floor(i / 4);
    kernels.floats[(FLOATS >> 2) + i] = scale / std[c]!;
    kernels.floats[(FLOATS >> 2) + 12 + i] = 0 - mean[c]! / std[c]!;
  }
  // Kernels take four pixels at a time.
  const plane = (width + 3) & ~3;
  const floats = kernels.reserve(4 * 3 * plane);
  const view = (from: number, length: number) =>
    kernels.floats.subarray((floats >> 2) + from, (floats >> 2) + from + length);
  const startOf = (y: number) => (top + y) * whole + left;
  if (inPixels) {
    let converted: Float32Array | undefined;
    return (row, y) => {
      functions.pixels(row, floats, row + 4 * width, red, blue);
      // Views end when more memory is reserved: none is from the first row on.
      converted ??= view(0, 3 * width);
      samples.set(converted, 3 * startOf(y));
    };
  }
  const channels = color === "GRAY" ? [0] : [0, 1, 2];
  let converted: Float32Array[] | undefined;
  return (row, y) => {
    functions.planes(row, floats, 4 * plane, row + 4 * width, red, blue);
    converted ??= channels.map((c) => view(c * plane, width));
    for (const c of channels) samples.set(converted[c]!, c * whole * height + startOf(y));
  };
}
