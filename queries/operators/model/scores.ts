/**
 * Outputs of a model to scores.
 *
 * @module
 */
import { fromFloat16Bits } from "../../../runtime/mod.ts";
import type { ModelOutput } from "./manifest.ts";
import type { ModelTensor } from "./session.ts";

/** Scores by label. */
export type Scores = Record<string, number>;

/**
 * Reads an output: one set of scores, or as many as there are frames.
 *
 * @param sets how many sets of values the output holds, one after the other
 * @throws {Error} when the output holds another number of values than its labels.
 */
export function readScores(output: ModelOutput, tensor: ModelTensor, sets: number): Scores[] {
  const values = numbersOf(tensor);
  const width = values.length / sets;
  const { name, labels } = output;
  const accepted = labels === undefined ? "1 or more values" : `${labels.length} values`;
  if (!Number.isInteger(width) || width < 1 || (labels ?? { length: width }).length !== width) {
    throw new Error(
      `Cannot read output ${name} of shape [${tensor.shape.join(", ")}]: expected ${accepted} ` +
        (sets === 1 ? "for the window" : `for each of ${sets} frames`),
    );
  }
  const names = labels ??
    (width === 1 ? [name] : Array.from({ length: width }, (_, i) => `${name}.${i}`));
  return Array.from({ length: sets }, (_, set) => {
    const own = activate(values.slice(set * width, (set + 1) * width), output.activation);
    return Object.fromEntries(names.map((label, i) => [label, rounded(own[i]!)]));
  });
}

function activate(values: number[], activation: ModelOutput["activation"]): number[] {
  if (activation === "sigmoid") return values.map((value) => 1 / (1 + Math.exp(-value)));
  if (activation === "none") return values;
  const highest = Math.max(...values);
  const powers = values.map((value) => Math.exp(value - highest));
  const sum = powers.reduce((total, power) => total + power, 0);
  return powers.map((power) => power / sum);
}

function numbersOf({ dtype, data }: ModelTensor): number[] {
  if (dtype === "float16") return Array.from(data as Uint16Array, fromFloat16Bits);
  return Array.from(data as ArrayLike<number | bigint>, Number);
}

/** Six digits: beyond them float32 says nothing, and lines get long. */
function rounded(score: number): number {
  return Math.round(score * 1e6) / 1e6;
}
