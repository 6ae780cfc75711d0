// What a detector's head gives for one frame.
import type { ObjectsOutput } from "../manifest_output.ts";
import type { Candidates } from "./candidates.ts";
import type { Values } from "./numbers.ts";

/** The tensors of one frame, without the dimension of the frames. */
export interface HeadTensors {
  /** The output itself, or the scores of a head in several tensors. */
  readonly main: Values;
  readonly boxes?: Values | undefined;
  readonly classes?: Values | undefined;
  readonly offsets?: Values | undefined;
  /** What a coordinate is multiplied with to be in pixels. */
  readonly unitX: number;
  readonly unitY: number;
  /** Pixels of the input. */
  readonly width: number;
  readonly height: number;
  /** The frame's place in the window, for rows that name theirs. */
  readonly frame: number;
}

/** Adds the boxes of one frame to the candidates. */
export type Decode = (output: ObjectsOutput, head: HeadTensors, found: Candidates) => void;
