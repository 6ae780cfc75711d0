// Builds the input tensor of a window.
import {
  allocate,
  float16Bits,
  type FrameTensor,
  type TensorData,
  type TensorSpec,
} from "../../../runtime/image/mod.ts";
import type { ModelInput } from "./manifest_input.ts";
import type { ModelTensor } from "./session.ts";
import { dimsOf } from "./signature.ts";

/** The tensor of one frame; types that frames do not have are converted from float32. */
export function frameSpec(input: ModelInput, reduce: boolean): TensorSpec {
  const { layout, width, height, color, resize, align, scale, mean, std } = input;
  const order = layout.indexOf("C") < layout.indexOf("H") ? "CHW" : "HWC";
  const dtype = input.dtype === "float64" || input.dtype === "int8" ? "float32" : input.dtype;
  return { width, height, color, resize, align, dtype, order, scale, mean, std, reduce };
}

/** Fills the bars around a letterboxed frame. */
export function padBars(input: ModelInput, { data, placement: { content } }: FrameTensor): void {
  const { width, height, color, layout, pad, scale, mean, std, dtype } = input;
  if (pad === 0 || (content.width === width && content.height === height)) return;
  const channels = color === "GRAY" ? 1 : 3;
  const planes = layout.indexOf("C") < layout.indexOf("H");
  const [step, apart] = planes ? [1, width * height] : [channels, 1];
  const right = content.left + content.width, bottom = content.top + content.height;
  for (let c = 0; c < channels; c++) {
    const value = (pad * scale - mean[c]!) / std[c]!;
    const sample = dtype === "float16"
      ? float16Bits(value)
      : dtype === "uint8"
      ? Math.min(255, Math.max(0, Math.round(value)))
      : value;
    for (let y = 0; y < height; y++) {
      const inside = y >= content.top && y < bottom;
      const row = c * apart + y * width * step;
      for (let x = 0; x < width; x++) {
        if (inside && x === content.left) x = right;
        if (x < width) data[row + x * step] = sample;
      }
    }
  }
}

/** Joins the frames of windows, one window at a time. */
export class WindowTensor {
  readonly #input: ModelInput;
  readonly #shape: readonly number[];
  #memory: TensorData | undefined;

  constructor(input: ModelInput) {
    this.#input = input;
    this.#shape = dimsOf(input);
  }

  /**
   * The tensor of a window; valid until the next call.
   *
   * @param frames as many as the input takes, in order
   */
  fill(frames: readonly FrameTensor[]): ModelTensor {
    const { dtype } = this.#input;
    return { dtype, shape: this.#shape, data: converted(this.#together(frames), dtype) };
  }

  #together(frames: readonly FrameTensor[]): TensorData {
    const { layout, height, width } = this.#input;
    if (frames.length === 1) return frames[0]!.data;
    const size = frames[0]!.data.length;
    const { dtype } = frameSpec(this.#input, true);
    const memory = this.#memory ??= allocate(dtype, size * frames.length);
    if (layout === "NCTHW") {
      const plane = height * width;
      for (const [t, { data }] of frames.entries()) {
        for (let c = 0; c * plane < size; c++) {
          memory.set(data.subarray(c * plane, (c + 1) * plane), (c * frames.length + t) * plane);
        }
      }
    } else for (const [t, { data }] of frames.entries()) memory.set(data, t * size);
    return memory;
  }
}

function converted(data: TensorData, dtype: ModelInput["dtype"]): ModelTensor["data"] {
  if (dtype === "float64") return Float64Array.from(data);
  if (dtype !== "int8") return data;
  return Int8Array.from(data, (value) => Math.min(127, Math.max(-128, Math.round(value))));
}
