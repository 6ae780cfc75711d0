// Builds the input tensor of a window.
import {
  allocate,
  type FrameTensor,
  type TensorData,
  type TensorSpec,
} from "../../../runtime/image/mod.ts";
import type { ModelInput } from "./manifest_input.ts";
import type { ModelTensor } from "./session.ts";
import { dimsOf } from "./signature.ts";

/** The tensor of one frame; types that frames do not have are converted from float32. */
export function frameSpec(input: ModelInput, reduce: boolean): TensorSpec {
  const { layout, width, height, color, resize, align, pad, scale, mean, std } = input;
  const order = layout.indexOf("C") < layout.indexOf("H") ? "CHW" : "HWC";
  const dtype = input.dtype === "float64" || input.dtype === "int8" ? "float32" : input.dtype;
  return { width, height, color, resize, align, pad, dtype, order, scale, mean, std, reduce };
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
