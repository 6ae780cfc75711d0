// The formats of detectors: one function for each, from numbers to candidates.
import type { Column, ObjectsOutput } from "../manifest_output.ts";
import type { Candidates } from "./candidates.ts";
import { nanodet, yolov5, yolox } from "./cells.ts";
import { addPeaks } from "./centernet.ts";
import type { Decode, HeadTensors } from "./head_tensors.ts";
import { activationOf, sigmoid } from "./numbers.ts";
import { unreadable } from "./reader.ts";
import { bestClasses, classTable, type Table, tableOf } from "./table.ts";

/** Centre, width and height, then the class scores. */
export const yolov8 = (
  output: Pick<ObjectsOutput, "name" | "labels" | "threshold" | "activation">,
  { main, unitX, unitY }: Pick<HeadTensors, "main" | "unitX" | "unitY">,
  found: Candidates,
  columns?: number,
): void => {
  const { threshold } = output;
  const table = classTable(output, main, 4, columns);
  const { data, rows, rowStep, step } = table;
  const { best, kinds } = bestClasses(table, 4, table.classes);
  const activate = activationOf(output);
  for (let row = 0; row < rows; row++) {
    const score = activate(best[row]!);
    if (!(score >= threshold)) continue;
    const at = row * rowStep;
    const x = data[at]! * unitX, y = data[at + step]! * unitY;
    const w = data[at + 2 * step]! * unitX / 2, h = data[at + 3 * step]! * unitY / 2;
    found.add(x - w, y - h, x + w, y + h, score, kinds[row]!, row);
  }
};

/** Functions that read the sides of a box from the row at a position; the manifest's columns have both. */
function sidesOf({ data, step }: Table, columns: readonly Column[]) {
  const place = (column: Column) => columns.indexOf(column) * step;
  const has = (...wanted: Column[]) => wanted.every((column) => columns.includes(column));
  const axis = (low: Column, high: Column, middle: Column, size: Column) => {
    const sides = (from: Column, to: Column, read: (a: number, b: number) => [number, number]) => {
      const a = place(from), b = place(to);
      return (at: number) => read(data[at + a]!, data[at + b]!);
    };
    if (has(low, high)) return sides(low, high, (a, b) => [a, b]);
    if (has(middle, size)) return sides(middle, size, (m, s) => [m - s / 2, m + s / 2]);
    return sides(low, size, (l, s) => [l, l + s]);
  };
  return {
    across: axis("left", "right", "x", "width"),
    down: axis("top", "bottom", "y", "height"),
  };
}

/** Rows described by `columns`; models with NMS return one for each object. */
const rows: Decode = (output, head, found) => {
  if (head.boxes !== undefined) return heads(output, head, found);
  const { name, threshold, firstClass, columns } = output;
  if (head.main.data.length === 0) return;
  const table = tableOf(name, head.main, columns.length);
  if (table.columns !== columns.length) {
    throw unreadable(name, head.main.shape, `rows of ${columns.length} numbers, as columns says`);
  }
  const { data, rowStep, step } = table;
  const { across, down } = sidesOf(table, columns);
  const [score, kind, batch] = (["score", "class", "batch"] as const)
    .map((column) => columns.indexOf(column) * step) as [number, number, number];
  const activate = activationOf(output);
  for (let row = 0; row < table.rows; row++) {
    const at = row * rowStep;
    if (batch >= 0 && data[at + batch] !== head.frame) continue;
    const sure = score < 0 ? 1 : activate(data[at + score]!);
    if (!(sure >= threshold)) continue;
    const [left, right] = across(at), [top, bottom] = down(at);
    found.add(
      left * head.unitX,
      top * head.unitY,
      right * head.unitX,
      bottom * head.unitY,
      sure,
      kind < 0 ? 0 : Math.round(data[at + kind]!) - firstClass,
      row,
    );
  }
};

/** Boxes in one tensor, scores (and classes) in others. */
const heads: Decode = (output, head, found) => {
  const { name, format, labels, threshold, firstClass } = output;
  const { main, boxes, classes, unitX, unitY } = head;
  if (boxes === undefined || boxes.data.length === 0) return;
  const sides = tableOf(output.boxes ?? name, boxes, 4);
  const { across, down } = sidesOf(sides, output.columns);
  const add = (row: number, score: number, kind: number) => {
    if (!(score >= threshold)) return;
    const at = row * sides.rowStep;
    const [left, right] = across(at), [top, bottom] = down(at);
    found.add(left * unitX, top * unitY, right * unitX, bottom * unitY, score, kind, row);
  };
  const count = sides.rows;
  if (classes !== undefined || main.data.length === count) {
    const activate = activationOf(output);
    for (let row = 0; row < Math.min(count, main.data.length); row++) {
      const kind = classes === undefined ? 0 : Math.round(classes.data[row]!) - firstClass;
      add(row, activate(main.data[row]!), kind);
    }
    return;
  }
  const scores = tableOf(name, main, main.data.length / count);
  if (scores.rows !== count) {
    throw unreadable(name, main.shape, `scores for each of ${count} boxes`);
  }
  // One class more than labels is the background: SSD's first, DETR's last.
  const background = labels !== undefined && scores.columns === labels.length + 1;
  const first = background && format === "ssd" ? 1 : 0;
  const kinds = scores.columns - (background ? 1 : 0);
  const best = bestClasses(scores, first, kinds);
  for (let row = 0; row < count; row++) {
    const top = best.best[row]!;
    add(row, activated(output.activation, top, scores, row), best.kinds[row]! - firstClass);
  }
};

function activated(
  activation: ObjectsOutput["activation"],
  score: number,
  { data, columns, rowStep, step }: Table,
  row: number,
): number {
  if (activation === "none") return score;
  if (activation === "sigmoid") return sigmoid(score);
  let sum = 0;
  for (let c = 0; c < columns; c++) sum += Math.exp(data[row * rowStep + c * step]! - score);
  return 1 / sum;
}

export const DECODERS: Readonly<Record<ObjectsOutput["format"], Decode>> = {
  yolov5,
  yolov8: (output, head, found) => yolov8(output, head, found),
  yolox,
  nanodet,
  ssd: heads,
  detr: heads,
  centernet: addPeaks,
  rows,
};
