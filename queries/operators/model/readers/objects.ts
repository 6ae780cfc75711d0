// Reads objects.
import type { ObjectsOutput } from "../manifest_output.ts";
import { Candidates } from "./candidates.ts";
import { stacked } from "./cells.ts";
import { DECODERS } from "./formats.ts";
import type { HeadTensors } from "./head_tensors.ts";
import { partOf, type Values, valuesOf } from "./numbers.ts";
import type { OutputReader, ReadContext } from "./reader.ts";

export function objectsReader(output: ObjectsOutput, constants: readonly unknown[]): OutputReader {
  const { format, iou, agnostic, maxObjects } = output;
  // A model that takes the frame's size returns pixels of the frame.
  const inFrame = output.units === "frame" || (output.units === "pixels" &&
    (constants.includes("frameSize") || constants.includes("frameShape")));
  const scores = output.scores ?? output.name;
  const decode = DECODERS[format];
  const fetches = output.levels?.flat() ??
    [scores, output.boxes, output.classes, output.offsets].filter((name) => name !== undefined);
  return {
    fetches: [...new Set(fetches)],
    read(outputs, context) {
      const labelOf = (kind: number) => output.labels?.[kind] ?? `class ${kind}`;
      const values = new Map(fetches.map((name) => [name, valuesOf(outputs.get(name)!)]));
      return {
        frames: context.placements.map((placement, frame) => {
          const found = new Candidates();
          decode(output, tensorsOf(output, scores, values, frame, context, inFrame), found);
          return {
            objects: found.select(iou, agnostic, maxObjects)
              .map((index) => found.objectOf(index, labelOf, placement, inFrame)),
          };
        }),
      };
    },
  };
}

function tensorsOf(
  output: ObjectsOutput,
  scores: string,
  values: ReadonlyMap<string, Values>,
  frame: number,
  { frames, input, placements }: ReadContext,
  inFrame: boolean,
): HeadTensors {
  const rank = output.format === "centernet" ? 3 : 2;
  const part = (name: string | undefined, own: number) =>
    name === undefined ? undefined : partOf(values.get(name)!, frame, frames, own);
  const { sourceWidth, sourceHeight } = placements[frame]!;
  const isFraction = output.units === "fractions";
  // A score for each box, or one for each of its classes.
  const isSingle = output.classes !== undefined || (rank === 2 && output.boxes !== undefined &&
    values.get(scores)!.shape.length < values.get(output.boxes)!.shape.length);
  const ofLevel = (name: string) => part(name, values.get(name)!.shape.length - 1)!;
  // Rows with a batch number stay together.
  const main = output.levels !== undefined
    ? stacked(output, output.levels.map((names) => names.map(ofLevel)))
    : output.columns.includes("batch")
    ? partOf(values.get(scores)!, 0, 1, rank)
    : part(scores, isSingle ? 1 : rank)!;
  return {
    main,
    boxes: part(output.boxes, rank),
    classes: part(output.classes, 1),
    offsets: part(output.offsets, rank),
    unitX: !isFraction ? 1 : inFrame ? sourceWidth : input.width,
    unitY: !isFraction ? 1 : inFrame ? sourceHeight : input.height,
    width: input.width,
    height: input.height,
    frame,
  };
}
