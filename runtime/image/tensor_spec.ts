/** The input format of a model, per frame. */
export interface TensorSpec {
  readonly width: number;
  readonly height: number;
  readonly color: "RGB" | "BGR" | "GRAY";
  /**
   * How a frame of another shape is fitted: `fill` stretches it, `letterbox` keeps its aspect ratio and adds
   * bars, `crop` keeps its aspect ratio and cuts off two sides.
   */
  readonly resize: "fill" | "letterbox" | "crop";
  /** The sample, 0 to 255, that fills the bars of a letterbox. Default: 0, black. */
  readonly pad?: number;
  /** Position of a letterboxed frame: `center` (default), or `start` (left and top). */
  readonly align?: "center" | "start";
  readonly dtype: "float32" | "uint8" | "float16";
  /** Samples interleaved per pixel (`HWC`), or one plane per colour (`CHW`). */
  readonly order: "HWC" | "CHW";
  /** A sample from 0 to 255 becomes `(sample * scale - mean) / std`, in the order of `color`. */
  readonly scale: number;
  readonly mean: readonly number[];
  readonly std: readonly number[];
  /** False decodes at full size before resizing. Default: true. */
  readonly reduce?: boolean;
}

/** Samples of a tensor. */
export type TensorData =
  | Float32Array<ArrayBuffer>
  | Uint8Array<ArrayBuffer>
  | Float16Array<ArrayBuffer>;

const ARRAYS = { float32: Float32Array, uint8: Uint8Array, float16: Float16Array } as const;

/** Allocates the samples of a tensor. */
export function allocate(dtype: TensorSpec["dtype"], length: number): TensorData {
  return new ARRAYS[dtype](length);
}

/** Fills a tensor with one sample for each colour. */
export function fillColours(
  tensor: TensorData | Uint8ClampedArray,
  order: TensorSpec["order"],
  samples: readonly number[],
): void {
  const plane = tensor.length / samples.length;
  for (const [c, sample] of samples.entries()) {
    if (order === "CHW") tensor.fill(sample, c * plane, (c + 1) * plane);
    else for (let at = c; at < tensor.length; at += samples.length) tensor[at] = sample;
  }
}
