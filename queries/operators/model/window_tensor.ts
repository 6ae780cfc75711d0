/**
 * Windows of frames to the tensor that a model takes.
 *
 * @module
 */
import {
  allocate,
  type FrameTensor,
  type TensorData,
  type TensorSpec,
} from "../../../runtime/mod.ts";
import type { ModelInput } from "./manifest.ts";
import type { ModelTensor } from "./session.ts";
import { dimsOf } from "./signature.ts";

/** How one frame of an input is to be made. */
export function frameSpec(input: ModelInput, reduce: boolean): TensorSpec {
  const { layout, width, height, color, resize, dtype, scale, mean, std } = input;
  const order = layout.indexOf("C") < layout.indexOf("H") ? "CHW" : "HWC";
  return { width, height, color, resize, dtype, order, scale, mean, std, reduce };
}

/** Puts the frames of windows together, one window at a time. */
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
    const { dtype, layout, height, width } = this.#input;
    const shape = this.#shape;
    if (frames.length === 1) return { dtype, shape, data: frames[0]!.data };
    const size = frames[0]!.data.length;
    const memory = this.#memory ??= allocate(dtype, size * frames.length);
    if (layout === "NCTHW") {
      const plane = height * width;
      for (const [t, { data }] of frames.entries()) {
        for (let c = 0; c * plane < size; c++) {
          memory.set(data.subarray(c * plane, (c + 1) * plane), (c * frames.length + t) * plane);
        }
      }
    } else for (const [t, { data }] of frames.entries()) memory.set(data, t * size);
    return { dtype, shape, data: memory };
  }
}
