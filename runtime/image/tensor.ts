// Converts frames to tensors: decodes once, at reduced size if sufficient, then resizes, reorders colours,
// scales and lays out samples in one pass.
import { decodeReduced } from "./decode.ts";
import { type ImageInfo, inspectImage } from "./inspect.ts";
import type { Picture } from "./picture.ts";
import { decodeJpegHere } from "./jpeg.ts";
import { type Crop, type Placement, placementOf } from "./placement.ts";
import type { Denominator, RawImage } from "./raw.ts";
import { fillTensor, pictureRows, planeRows, rowsAt } from "./kernels/float_tensor.ts";
import { decodeHalfSize } from "./kernels/half_size.ts";
import { type Kernels, withKernels } from "./kernels/kernels.ts";
import type { ReadRow } from "./kernels/resize.ts";
import { MOST_BYTES } from "./kernels/scan.ts";
import { allocate, type TensorData, type TensorSpec } from "./tensor_spec.ts";

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
  readonly #idle: TensorData[] = [];

  constructor(spec: TensorSpec) {
    this.spec = spec;
    this.#channels = spec.color === "GRAY" ? 1 : 3;
    this.size = spec.width * spec.height * this.#channels;
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
    if (info.type !== "jpeg" || this.#channels !== 3 || bytes.length > MOST_BYTES) return undefined;
    return withKernels((kernels) => {
      const planes = denominator === 2 && info.components === 3
        ? decodeHalfSize(kernels, bytes)
        : undefined;
      const rows = planes !== undefined
        ? planeRows(kernels, planes, crop)
        : decodedRows(kernels, bytes, info, denominator, crop);
      return rows && this.#filled(kernels, rows, crop, content);
    });
  }

  #fill(image: RawImage, { crop, content }: Placement): TensorData {
    const data = withKernels((kernels) =>
      this.#filled(kernels, pictureRows(kernels, image, crop), crop, content)
    );
    if (data !== undefined) return data;
    throw new Error(`Cannot make a tensor of a picture of ${image.width}x${image.height} pixels`);
  }

  #filled(kernels: Kernels, rows: ReadRow, crop: Crop, content: Crop): TensorData {
    const data = this.#idle.pop() ?? allocate(this.spec.dtype, this.size);
    fillTensor(kernels, rows, crop, content, this.spec, data);
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
