// Reads keypoints: of bodies, faces, hands.
import { type DetectedObject } from "../../../../runtime/mod.ts";
import { type Placement, toSource } from "../../../../runtime/image/mod.ts";
import { rounded } from "../../rounded.ts";
import type { KeypointsOutput } from "../manifest_output.ts";
import { Candidates, tenths } from "./candidates.ts";
import { yolov8 } from "./formats.ts";
import { partOf, type Values, valuesOf } from "./numbers.ts";
import { type OutputReader, type ReadContext, unreadable } from "./reader.ts";
import { tableOf } from "./table.ts";

type Point = readonly [x: number, y: number, score: number];

export function keypointsReader(output: KeypointsOutput): OutputReader {
  const { name, format } = output;
  const rank = format === "heatmaps" ? 3 : 2;
  const read = format === "yolov8" ? readBoxes : format === "points" ? readPoints : readHeatmaps;
  return {
    fetches: [name],
    read(outputs, context) {
      const values = valuesOf(outputs.get(name)!);
      return {
        frames: context.placements.map((placement, frame) => ({
          objects: read(output, partOf(values, frame, context.frames, rank), placement, context),
        })),
      };
    },
  };
}

type Read = (
  output: KeypointsOutput,
  values: Values,
  placement: Placement,
  context: ReadContext,
) => DetectedObject[];

/** Pixels of the input for a unit of a coordinate. */
function unitsOf({ units }: KeypointsOutput, { width, height }: ReadContext["input"]) {
  return units === "fractions" ? [width, height] as const : [1, 1] as const;
}

/** Boxes and class scores as YOLOv8 has them, then x, y (and score) of each point. */
const readBoxes: Read = (output, values, placement, { input }) => {
  const { name, labels = ["person"], points, iou, agnostic, maxObjects } = output;
  const [unitX, unitY] = unitsOf(output, input);
  const first = 4 + labels.length;
  const known = [3, 2].map((numbers) => first + numbers * points.length)
    .find((size) => values.shape.includes(size));
  const { data, columns, rowStep, step } = tableOf(name, values, known);
  const each = (columns - first) / points.length;
  if (each !== 2 && each !== 3) {
    throw unreadable(name, values.shape, `${labels.length} scores and ${points.length} points`);
  }
  const found = new Candidates();
  const boxes = { ...output, labels, activation: "none" } as const;
  yolov8(boxes, { main: values, unitX, unitY }, found, columns);
  return found.select(iou, agnostic, maxObjects).map((index) => ({
    ...found.objectOf(index, (kind) => labels[kind]!, placement, false),
    keypoints: points.map((_, p) => {
      const at = found.rowOf(index) * rowStep + (first + p * each) * step;
      const score = each === 3 ? data[at + 2 * step]! : 1;
      return pointOf(placement, data[at]! * unitX, data[at + step]! * unitY, score);
    }),
  }));
};

/** One body: a list of points. */
const readPoints: Read = (output, values, placement, { input }) => {
  const { name, columns, points } = output;
  const { data, rows, rowStep, step } = tableOf(name, values, columns.length);
  if (rows !== points.length) throw unreadable(name, values.shape, `${points.length} points`);
  const [x, y, score] = (["x", "y", "score"] as const).map((column) => columns.indexOf(column));
  const [unitX, unitY] = unitsOf(output, input);
  return bodyOf(
    output,
    points.map((_, p) => {
      const at = p * rowStep;
      const sure = score! < 0 ? 1 : data[at + score! * step]!;
      return pointOf(
        placement,
        data[at + x! * step]! * unitX,
        data[at + y! * step]! * unitY,
        sure,
      );
    }),
  );
};

/** One body: each point is the maximum of its map. */
const readHeatmaps: Read = (output, { data, shape }, placement, { input }) => {
  const { name, points } = output;
  const [count, height, width] = shape as [number, number, number];
  if (count !== points.length) throw unreadable(name, shape, `${points.length} maps`);
  const plane = width * height;
  return bodyOf(
    output,
    points.map((_, p) => {
      let best = p * plane;
      for (let at = best + 1; at < (p + 1) * plane; at++) if (data[at]! > data[best]!) best = at;
      const cell = best - p * plane;
      const x = (cell % width + 0.5) * input.width / width;
      const y = (Math.floor(cell / width) + 0.5) * input.height / height;
      return pointOf(placement, x, y, data[best]!);
    }),
  );
};

/** An unknown point is at 0, 0 with a score of 0, as in COCO. */
function pointOf(placement: Placement, x: number, y: number, score: number): Point {
  if (!Number.isFinite(x + y + score)) return [0, 0, 0];
  const [left, top] = toSource(placement, [x, y, x, y]);
  return [tenths(left), tenths(top), rounded(score)];
}

/** The body of the points; none if their mean score is too low, or no point is known. */
function bodyOf({ labels, threshold }: KeypointsOutput, keypoints: Point[]): DetectedObject[] {
  const score = keypoints.reduce((sum, [, , sure]) => sum + sure, 0) / keypoints.length;
  const known = keypoints.filter(([, , sure]) => sure !== 0);
  if (known.length === 0 || !(score >= threshold)) return [];
  const xs = known.map(([x]) => x), ys = known.map(([, y]) => y);
  return [{
    label: labels?.[0] ?? "person",
    score: rounded(score),
    box: [Math.min(...xs), Math.min(...ys), Math.max(...xs), Math.max(...ys)],
    keypoints,
  }];
}
