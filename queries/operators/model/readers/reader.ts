// What reads a model's outputs: numbers in, findings out.
import { BadFrameError, type DetectedObject, type Json } from "../../../../runtime/mod.ts";
import { type Placement } from "../../../../runtime/image/mod.ts";
import type { ModelInput } from "../manifest_input.ts";
import type { ModelTensor } from "../session.ts";

/** Where outputs come from. */
export interface ReadContext {
  /** Frames of the window. */
  readonly frames: number;
  /** Where each frame lies in the input. */
  readonly placements: readonly Placement[];
  readonly input: ModelInput;
}

/** What an output says of one frame. */
export interface FrameReading {
  readonly scores?: Readonly<Record<string, number>>;
  readonly objects?: readonly DetectedObject[];
}

/** What an output says. */
export interface Reading {
  /** Of the whole window. */
  readonly scores?: Readonly<Record<string, number>>;
  /** Of each of its frames. */
  readonly frames?: readonly FrameReading[];
  readonly data?: Readonly<Record<string, Json>>;
}

/** Reads one entry of the manifest's outputs. */
export interface OutputReader {
  /** Names of the tensors that it needs. */
  readonly fetches: readonly string[];
  /** @throws {BadFrameError} `model-output`: the tensors have a shape that it cannot read. */
  read(outputs: ReadonlyMap<string, ModelTensor>, context: ReadContext): Reading;
}

/** What cannot be read, with its shape. */
export function unreadable(name: string, shape: readonly number[], expected: string) {
  return new BadFrameError(
    "model-output",
    `Cannot read output ${name} of shape [${shape.join(", ")}]: expected ${expected}`,
  );
}
