/** The input format of a model, per frame. */
export interface TensorSpec {
  readonly width: number;
  readonly height: number;
  readonly color: "RGB" | "BGR" | "GRAY";
  /**
   * How a frame of another shape is fitted: `fill` stretches it, `letterbox` keeps its aspect ratio and adds
   * black bars, `crop` keeps its aspect ratio and cuts off two sides.
   */
  readonly resize: "fill" | "letterbox" | "crop";
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

/** Samples of a tensor; float16 as raw bits. */
export type TensorData =
  | Float32Array<ArrayBuffer>
  | Uint8Array<ArrayBuffer>
  | Uint16Array<ArrayBuffer>;

/** Allocates the samples of a tensor. */
export function allocate(dtype: TensorSpec["dtype"], length: number): TensorData {
  if (dtype === "float32") return new Float32Array(length);
  return dtype === "uint8" ? new Uint8Array(length) : new Uint16Array(length);
}

const halves = new Float16Array(1);
const halfBits = new Uint16Array(halves.buffer);

/** The bits of the nearest float16. */
export function float16Bits(value: number): number {
  halves[0] = value;
  return halfBits[0]!;
}

/** The value of a float16 given as bits. */
export function fromFloat16Bits(bits: number): number {
  halfBits[0] = bits;
  return halves[0]!;
}
