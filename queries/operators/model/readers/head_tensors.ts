// The output tensors of a detector for one frame.
import type { ObjectsOutput } from "../manifest_output.ts";
import type { Candidates } from "./candidates.ts";
import type { Values } from "./numbers.ts";

/** The tensors of one frame, without the dimension of the frames. */
export interface HeadTensors {
  /** The output, or the scores if there are several tensors. */
  readonly main: Values;
  readonly boxes?: Values | undefined;
  readonly classes?: Values | undefined;
  readonly offsets?: Values | undefined;
  /** Pixels per unit of a coordinate. */
  readonly unitX: number;
  readonly unitY: number;
  /** Pixels of the input. */
  readonly width: number;
  readonly height: number;
  /** Index of the frame in the window, for rows with a batch number. */
  readonly frame: number;
}

/** Adds the boxes of one frame to the candidates. */
export type Decode = (output: ObjectsOutput, head: HeadTensors, found: Candidates) => void;
