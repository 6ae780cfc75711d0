// Frames to tensors: decoded once, at reduced size where that is enough, then resized, brought into
// colour order, scaled and laid out in one pass.
import { decodeReduced, type Denominator } from "./decode.ts";
import { type ImageInfo, inspectImage } from "./inspect.ts";
import { decodeJpegHere } from "./jpeg.ts";
import type { Picture } from "./picture.ts";
import { type Placement, placementOf } from "./placement.ts";
import type { RawImage } from "./raw.ts";
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
import { allocate, float16Bits, type TensorData, type TensorSpec } from "./tensor_spec.ts";

/** Larger pictures would hold this thread for more than some milliseconds: pixels. */
const MOST_PIXELS_HERE = 1280 * 960;
/** Most tensors of a `Tensorizer` to keep for reuse. */
const MOST_IDLE = 64;

/** One frame as a model wants it. */
export interface FrameTensor {
  /** `width * height * channels` samples, valid until `release`. */
  readonly data: TensorData;
  readonly placement: Placement;
  /** Gives the memory back for reuse. Once is enough. */
  release(): void;
}

/**
 * Makes tensors of frames for one model.
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
  /** Samples of a tensor. */
  readonly size: number;
  readonly #channels: 1 | 3;
  /** For each colour of the tensor what its 256 samples become. */
  readonly #tables: readonly TensorData[];
  /** How the kernels are to write; undefined where the tables do. */
  readonly #layout: FloatLayout | undefined;
  readonly #idle: TensorData[] = [];

  constructor(spec: TensorSpec) {
    this.spec = spec;
    this.#channels = spec.color === "GRAY" ? 1 : 3;
    this.size = spec.width * spec.height * this.#channels;
    this.#tables = Array.from({ length: this.#channels }, (_, c) => tableOf(spec, c));
    this.#layout = layoutOf(spec);
  }

  /**
   * Decodes a frame into a tensor.
   *
   * @param bytes the encoded image; must stay as it is until the promise settles
   * @throws {BadFrameError} when the frame cannot be decoded.
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
   * A frame's picture as a tensor.
   *
   * @throws {BadFrameError} when the frame cannot be decoded.
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

  /** Makes a tensor of a decoded picture of the colours of the specification. */
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
   * A JPEG of the usual size goes into the kernels' memory and through them without a copy: quicker than by
   * another thread. At half size the kernels decode what most cameras send, else libjpeg does.
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
    if (content.width < width || content.height < height) this.#blacken(data);
    // Where the samples of a pixel lie, from one pixel to the next and from one colour to the next.
    const [step, apart] = order === "HWC" ? [this.#channels, 1] : [1, width * height];
    resizeRows(image, crop, content.width, content.height, (row, y) => {
      const at = ((content.top + y) * width + content.left) * step;
      if (color === "GRAY") writeGrey(row, tables[0]!, data, at);
      else if (color === "RGB") writeRow(row, 0, 2, tables, data, at, step, apart);
      else writeRow(row, 2, 0, tables, data, at, step, apart);
    });
    return data;
  }

  #blacken(data: TensorData): void {
    const { width, height, order } = this.spec;
    const plane = width * height;
    for (const [c, table] of this.#tables.entries()) {
      if (order === "CHW") data.fill(table[0]!, c * plane, (c + 1) * plane);
      else for (let at = c; at < data.length; at += this.#channels) data[at] = table[0]!;
    }
  }
}

/** Rows of a JPEG that libjpeg decodes into the kernels' memory; undefined for a large or an odd one. */
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

/** Tensors of colours as floats are what the kernels make. */
function layoutOf(
  { width, height, color, order, dtype, scale, mean, std }: TensorSpec,
): FloatLayout | undefined {
  if (color === "GRAY" || dtype !== "float32") return undefined;
  const factors = std.map((one) => scale / one);
  return { width, height, color, order, factors, offsets: std.map((one, c) => 0 - mean[c]! / one) };
}

function writeGrey(row: Uint8Array, table: TensorData, to: TensorData, at: number): void {
  for (let from = 0; from < row.length; from++) to[at++] = table[row[from]!]!;
}

/** Writes a row of RGB; `first` and `last` are the samples of a pixel that come first and last. */
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
    table[sample] = dtype === "uint8"
      ? Math.min(255, Math.max(0, Math.round(value)))
      : dtype === "float16"
      ? float16Bits(value)
      : value;
  }
  return table;
}
