// Converts frames to tensors: decodes once, at reduced size if sufficient, then resizes, reorders colours,
// scales and lays out samples in one pass.
import { decodeReduced } from "./decode.ts";
import { type ImageInfo, inspectImage } from "./inspect.ts";
import { decodeJpegHere } from "./jpeg.ts";
import type { Picture } from "./picture.ts";
import { type Placement, placementOf } from "./placement.ts";
import type { Denominator, RawImage } from "./raw.ts";
import { ownWork } from "../base/own_work.ts";
import { type Crop, resizeRows } from "./resize.ts";
import {
  fillFloats,
  type FloatLayout,
  pictureRows,
  planeRows,
  type ReadRow,
  rowsAt,
} from "./kernels/float_tensor.ts";
import { decodeHalfSize } from "./kernels/half_size.ts";
import { type Kernels, withKernels } from "./kernels/kernels.ts";
import { MOST_BYTES } from "./kernels/scan.ts";
import { allocate, fillColours, type TensorData, type TensorSpec } from "./tensor_spec.ts";

/** Pixels: larger pictures would block this thread for several milliseconds. */
const MOST_PIXELS_HERE = 1280 * 960;
/** Most tensors of a `Tensorizer` to keep for reuse. */
const MOST_IDLE = 64;

/** A frame in the form a model expects. */
export interface FrameTensor {
  /** `width * height * channels` samples, valid until `release`. */
  readonly data: TensorData;
  readonly placement: Placement;
  /** Releases the memory for reuse. Repeated calls have no effect. */
  release(): void;
}

/**
 * Converts frames to tensors for one model.
 *
 * @example
 * ```ts
 * import { Tensorizer } from "./tensor.ts";
 *
 * const tensorizer = new Tensorizer({
 *   width: 224,
 *   height: 224,
 *   color: "RGB",
 *   resize: "crop",
 *   dtype: "float32",
 *   order: "CHW",
 *   scale: 1 / 255,
 *   mean: [0.485, 0.456, 0.406],
 *   std: [0.229, 0.224, 0.225],
 * });
 * const tensor = await tensorizer.tensor(Deno.readFileSync("frame.jpg"));
 * console.log(tensor.data.length);
 * tensor.release();
 * ```
 */
export class Tensorizer {
  readonly spec: TensorSpec;
  /** Number of samples in a tensor. */
  readonly size: number;
  readonly #channels: 1 | 3;
  /** Lookup table of the 256 sample values for each colour. */
  readonly #tables: readonly TensorData[];
  /** Output layout for the kernels; undefined if the tables are used. */
  readonly #layout: FloatLayout | undefined;
  readonly #idle: TensorData[] = [];

  constructor(spec: TensorSpec) {
    this.spec = spec;
    this.#channels = spec.color === "GRAY" ? 1 : 3;
    this.size = spec.width * spec.height * this.#channels;
    this.#tables = Array.from({ length: this.#channels }, (_, c) => tableOf(spec, c));
    this.#layout = layoutOf(spec, this.#tables);
  }

  /**
   * Decodes a frame into a tensor.
   *
   * @param bytes the encoded image; must not change until the promise settles
   * @throws {BadFrameError} if the frame cannot be decoded
   */
  async tensor(bytes: Uint8Array, info: ImageInfo = inspectImage(bytes)): Promise<FrameTensor> {
    const placement = placementOf(this.spec, info.width, info.height);
    const quick = this.#decodeHere(bytes, info, placement);
    if (quick !== undefined) return this.#lend(quick, placement);
    return await this.#fromPixels(
      decodeReduced(bytes, this.#channels, placement.denominator, info),
      placement,
    );
  }

  /**
   * Converts a frame's picture to a tensor.
   *
   * @throws {BadFrameError} if the frame cannot be decoded
   */
  async ofPicture(picture: Picture): Promise<FrameTensor> {
    if (picture.image !== undefined) {
      return await this.tensor(picture.image.bytes, picture.image.info);
    }
    const placement = placementOf(this.spec, picture.width, picture.height);
    return await this.#fromPixels(
      picture.pixels(this.#channels, placement.denominator),
      placement,
    );
  }

  async #fromPixels(pixels: Promise<RawImage>, placement: Placement): Promise<FrameTensor> {
    const image = await pixels;
    try {
      return this.#lend(this.#fill(image, placement), placement);
    } finally {
      image.release();
    }
  }

  /** Converts a decoded picture in the colours of the specification. */
  fromImage(image: RawImage): FrameTensor {
    const placement = placementOf({ ...this.spec, reduce: false }, image.width, image.height);
    return this.#lend(this.#fill(image, placement), placement);
  }

  #lend(data: TensorData, placement: Placement): FrameTensor {
    let lent = true;
    const release = () => {
      if (lent && this.#idle.length < MOST_IDLE) this.#idle.push(data);
      lent = false;
    };
    return { data, placement, release };
  }

  /**
   * Decodes a typical JPEG in the kernels' memory without a copy, faster than on another thread. At half size
   * the kernels decode the common kind of JPEG; otherwise libjpeg does.
   */
  #decodeHere(
    bytes: Uint8Array,
    info: ImageInfo,
    { denominator, crop, content }: Placement,
  ): TensorData | undefined {
    if (this.#layout === undefined || bytes.length > MOST_BYTES) return undefined;
    if (info.type !== "jpeg" || this.#channels !== 3) return undefined;
    const layout = this.#layout;
    return withKernels((kernels) => {
      const planes = denominator === 2 && info.components === 3
        ? decodeHalfSize(kernels, bytes)
        : undefined;
      const rows = planes !== undefined
        ? planeRows(kernels, planes, crop)
        : decodedRows(kernels, bytes, info, denominator, crop);
      if (rows === undefined) return undefined;
      const data = this.#takeFloats();
      fillFloats(kernels, rows, crop, content, layout, data);
      return data;
    });
  }

  #takeFloats(): Float32Array<ArrayBuffer> {
    return this.#idle.pop() as Float32Array<ArrayBuffer> ?? new Float32Array(this.size);
  }

  #fill(image: RawImage, { crop, content }: Placement): TensorData {
    const layout = this.#layout;
    const quick = layout && withKernels((kernels) => {
      const data = this.#takeFloats();
      fillFloats(kernels, pictureRows(kernels, image, crop), crop, content, layout, data);
      return data;
    });
    return quick ?? ownWork(() => this.#fillByTables(image, crop, content));
  }

  #fillByTables(image: RawImage, crop: Crop, content: Crop): TensorData {
    const data = this.#idle.pop() ?? allocate(this.spec.dtype, this.size);
    const { width, height, order, color } = this.spec;
    const tables = this.#tables;
    if (content.width < width || content.height < height) {
      fillColours(data, order, tables.map((table) => table[this.spec.pad ?? 0]!));
    }
    // Distance between pixels and between colours, in samples.
    const [step, apart] = order === "HWC" ? [this.#channels, 1] : [1, width * height];
    resizeRows(image, crop, content.width, content.height, (row, y) => {
      const at = ((content.top + y) * width + content.left) * step;
      if (color === "GRAY") writeGrey(row, tables[0]!, data, at);
      else if (color === "RGB") writeRow(row, 0, 2, tables, data, at, step, apart);
      else writeRow(row, 2, 0, tables, data, at, step, apart);
    });
    return data;
  }
}

/** Rows of a JPEG that libjpeg decodes into the kernels' memory; undefined if it is too large or unusual. */
function decodedRows(
  kernels: Kernels,
  bytes: Uint8Array,
  info: ImageInfo,
  denominator: Denominator,
  crop: Crop,
): ReadRow | undefined {
  const width = Math.ceil(info.width / denominator), height = Math.ceil(info.height / denominator);
  if (info.width * info.height > MOST_PIXELS_HERE) return undefined;
  kernels.clear();
  const at = kernels.reserve(4 * width * height);
  const data = kernels.bytes.subarray(at, at + 4 * width * height);
  const decoded = decodeJpegHere(bytes, info, { data, width, height, channels: 4 }, denominator);
  return decoded ? rowsAt(at, width, crop) : undefined;
}

/** The kernels' layout; they only write colour tensors of floats. */
function layoutOf(
  { width, height, color, order, dtype, scale, mean, std, pad = 0 }: TensorSpec,
  tables: readonly TensorData[],
): FloatLayout | undefined {
  if (color === "GRAY" || dtype !== "float32") return undefined;
  return {
    width,
    height,
    color,
    order,
    factors: std.map((one) => scale / one),
    offsets: std.map((one, c) => 0 - mean[c]! / one),
    bars: tables.map((table) => table[pad]!),
  };
}

function writeGrey(row: Uint8Array, table: TensorData, to: TensorData, at: number): void {
  for (let from = 0; from < row.length; from++) to[at++] = table[row[from]!]!;
}

/** Writes a row of RGB; `first` and `last` select the samples of a pixel that are written first and last. */
function writeRow(
  row: Uint8Array,
  first: number,
  last: number,
  tables: readonly TensorData[],
  to: TensorData,
  at: number,
  step: number,
  apart: number,
): void {
  const table0 = tables[0]!, table1 = tables[1]!, table2 = tables[2]!;
  const at1 = at + apart, at2 = at1 + apart;
  for (let from = 0, moved = 0; from < row.length; from += 3, moved += step) {
    to[at + moved] = table0[row[from + first]!]!;
    to[at1 + moved] = table1[row[from + 1]!]!;
    to[at2 + moved] = table2[row[from + last]!]!;
  }
}

function tableOf({ dtype, scale, mean, std }: TensorSpec, channel: number): TensorData {
  const table = allocate(dtype, 256);
  for (let sample = 0; sample < 256; sample++) {
    const value = (sample * scale - mean[channel]!) / std[channel]!;
    table[sample] = dtype === "uint8" ? Math.min(255, Math.max(0, Math.round(value))) : value;
  }
  return table;
}
