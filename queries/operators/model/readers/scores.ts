// Reads scores.
import type { Activation, ScoresOutput } from "../manifest_output.ts";
import { type Numbers, sigmoid, sixDigits, valuesOf } from "./numbers.ts";
import { type OutputReader, type Reading, unreadable } from "./reader.ts";

/** Most scores in a result: more do not come from a classifier, and would fill the log. */
export const MOST_SCORES = 2000;
export const FEW_SCORES =
  `up to ${MOST_SCORES} scores; read it with kind objects, keypoints, map or vector, or keep the ` +
  "highest with top";

type Scores = Readonly<Record<string, number>>;

/** Drops invalid numbers and names them in `data`. */
export function scoresReader(output: ScoresOutput): OutputReader {
  const { name, kind } = output;
  return {
    fetches: [name],
    read(outputs, { frames }) {
      const { data, shape } = valuesOf(outputs.get(name)!);
      if (data.length === 0) return {};
      const sets = kind === "frame" ? frames : 1;
      const width = data.length / sets;
      const { labels, top } = output;
      if (!Number.isInteger(width) || (labels !== undefined && labels.length !== width)) {
        const accepted = labels === undefined ? "values" : `${labels.length} values`;
        const whose = sets === 1 ? "for the window" : `for each of ${sets} frames`;
        throw unreadable(name, shape, `${accepted} ${whose}`);
      }
      if (sets * Math.min(width, top ?? width) > MOST_SCORES) {
        throw unreadable(name, shape, FEW_SCORES);
      }
      const invalid = new Set<string>();
      const found = Array.from({ length: sets }, (_, set) => {
        const own = data.subarray(set * width, (set + 1) * width);
        return named(output, activate(own, output.activation), invalid);
      });
      const reading: Reading = kind === "frame"
        ? { frames: found.map((scores) => ({ scores })) }
        : { scores: found[0]! };
      return invalid.size === 0 ? reading : { ...reading, data: { invalidScores: [...invalid] } };
    },
  };
}

function named({ name, labels, top }: ScoresOutput, values: Numbers, invalid: Set<string>): Scores {
  const labelOf = (i: number) => labels?.[i] ?? (values.length === 1 ? name : `${name}.${i}`);
  let order = Array.from(values.keys());
  if (top !== undefined && top < values.length) {
    order = order.filter((i) => Number.isFinite(values[i]))
      .sort((a, b) => values[b]! - values[a]! || a - b).slice(0, top);
  }
  const isValid = (i: number) => Number.isFinite(values[i]);
  for (const i of order) if (!isValid(i)) invalid.add(labelOf(i));
  return Object.fromEntries(order.filter(isValid).map((i) => [labelOf(i), sixDigits(values[i]!)]));
}

/** Values as scores; softmax over all of them. */
export function activate(values: Numbers, activation: Activation): Numbers {
  if (activation === "none") return values;
  const result = new Float64Array(values.length);
  if (activation === "sigmoid") {
    for (let i = 0; i < values.length; i++) result[i] = sigmoid(values[i]!);
    return result;
  }
  let highest = -Infinity, sum = 0;
  for (let i = 0; i < values.length; i++) highest = Math.max(highest, values[i]!);
  for (let i = 0; i < values.length; i++) sum += result[i] = Math.exp(values[i]! - highest);
  for (let i = 0; i < values.length; i++) result[i]! /= sum;
  return result;
}
