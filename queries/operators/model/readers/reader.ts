// The interface of readers: numbers in, findings out.
import { BadFrameError, type DetectedObject, type Json } from "../../../../runtime/mod.ts";
import { type Placement } from "../../../../runtime/image/mod.ts";
import type { ModelInput } from "../manifest_input.ts";
import type { ModelTensor } from "../session.ts";

export interface ReadContext {
  readonly frames: number;
  /** Position of each frame in the input. */
  readonly placements: readonly Placement[];
  readonly input: ModelInput;
}

export interface FrameReading {
  readonly scores?: Readonly<Record<string, number>>;
  readonly objects?: readonly DetectedObject[];
}

export interface Reading {
  /** For the whole window. */
  readonly scores?: Readonly<Record<string, number>>;
  /** By frame. */
  readonly frames?: readonly FrameReading[];
  readonly data?: Readonly<Record<string, Json>>;
}

/** Reads one entry of the manifest's outputs. */
export interface OutputReader {
  /** Names of the required tensors. */
  readonly fetches: readonly string[];
  /** @throws {BadFrameError} `model-output`: a tensor has an unexpected shape or number. */
  read(outputs: ReadonlyMap<string, ModelTensor>, context: ReadContext): Reading;
}

/** The error for an output of an unexpected shape, or with an unexpected number. */
export function unreadable(name: string, shape: readonly number[], expected: string) {
  return new BadFrameError(
    "model-output",
    `Cannot read output ${name} of shape [${shape.join(", ")}]: expected ${expected}`,
  );
}
