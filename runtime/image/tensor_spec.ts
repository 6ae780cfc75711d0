// What a model wants of a frame, and samples of each type.

/** What a model wants of one frame. */
export interface TensorSpec {
  /** Pixels. */
  readonly width: number;
  readonly height: number;
  readonly color: "RGB" | "BGR" | "GRAY";
  /**
   * How a frame of another shape is made to fit: `fill` stretches it, `letterbox` keeps its shape
   * and leaves black bars, `crop` keeps its shape and cuts off what stands out on two sides.
   */
  readonly resize: "fill" | "letterbox" | "crop";
  /** Where a letterboxed frame lies: in the middle, or at the left and the top. `center` unless given. */
  readonly align?: "center" | "start";
  readonly dtype: "float32" | "uint8" | "float16";
  /** Samples of a pixel together, or each colour as a plane of its own. */
  readonly order: "HWC" | "CHW";
  /** A sample of 0 to 255 becomes `(sample * scale - mean) / std`, in the order of `color`. */
  readonly scale: number;
  readonly mean: readonly number[];
  readonly std: readonly number[];
  /** False decodes at full size before resizing. True unless given. */
  readonly reduce?: boolean;
}

/** Samples of a tensor; float16 as its bits. */
export type TensorData =
  | Float32Array<ArrayBuffer>
  | Uint8Array<ArrayBuffer>
  | Uint16Array<ArrayBuffer>;

/** Memory for samples. */
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

/** The number that these bits of a float16 stand for. */
export function fromFloat16Bits(bits: number): number {
  halfBits[0] = bits;
  return halves[0]!;
}
