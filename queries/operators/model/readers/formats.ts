// How detectors lay out their boxes: one function for each format, from numbers to candidates.
import type { Column, ObjectFormat, ObjectsOutput } from "../manifest_output.ts";
import { addPeaks } from "./centernet.ts";
import type { Decode } from "./head_tensors.ts";
import { sigmoid, type Values } from "./numbers.ts";
import { unreadable } from "./reader.ts";

/** Dimensions that a frame's part of the main tensor has. */
export const RANKS: Readonly<Record<ObjectFormat, number>> = {
  yolov5: 2,
  yolov8: 2,
  yolov10: 2,
  yolox: 2,
  ssd: 2,
  detr: 2,
  centernet: 3,
  rows: 2,
};

/** Rows of numbers that lie one after the other, or as columns. */
export interface Table {
  readonly data: Values["data"];
  readonly rows: number;
  readonly columns: number;
  /** From one row to the next, and from one number of a row to the next. */
  readonly rowStep: number;
  readonly step: number;
}

/**
 * A tensor of two dimensions as rows.
 *
 * @param columns how many numbers a row has, where the labels tell; else the smaller dimension
 */
export function tableOf(name: string, { data, shape }: Values, columns?: number): Table {
  const [first, second] = shape;
  if (first === undefined || second === undefined || shape.length !== 2) {
    throw unreadable(name, shape, "rows of numbers, two dimensions for each frame");
  }
  const across = columns === undefined ? first < second : second !== columns && first === columns;
  return across
    ? { data, rows: second, columns: first, rowStep: 1, step: second }
    : { data, rows: first, columns: second, rowStep: second, step: 1 };
}

/** The class with the highest score, for each row. */
function bestClasses({ data, rows, rowStep, step }: Table, first: number, classes: number) {
  const best = new Float32Array(rows).fill(-Infinity), kinds = new Int32Array(rows).fill(-1);
  // Class by class: the numbers of a class mostly lie side by side.
  for (let c = 0; c < classes; c++) {
    for (let row = 0, at = (first + c) * step; row < rows; row++, at += rowStep) {
      const score = data[at]!;
      if (score > best[row]!) {
        best[row] = score;
        kinds[row] = c;
      }
    }
  }
  return { best, kinds };
}

/** Middle, width and height, then the scores of the classes. */
const yolov8: Decode = (output, { main, unitX, unitY }, found) => {
  const { name, labels, threshold } = output;
  const known = output.columns?.length ?? knownColumns(main, labels && 4 + labels.length);
  const table = tableOf(name, main, known);
  const { data, rows, columns, rowStep, step } = table;
  const classes = labels?.length ?? columns - 4;
  if (classes < 1 || columns < 4 + classes) {
    throw unreadable(name, main.shape, `rows of 4 numbers and ${labels?.length ?? 1} scores`);
  }
  const { best, kinds } = bestClasses(table, 4, classes);
  for (let row = 0; row < rows; row++) {
    if (!(best[row]! >= threshold)) continue;
    const at = row * rowStep;
    const x = data[at]! * unitX, y = data[at + step]! * unitY;
    const w = data[at + 2 * step]! * unitX / 2, h = data[at + 3 * step]! * unitY / 2;
    found.add(x - w, y - h, x + w, y + h, best[row]!, kinds[row]!, row);
  }
};

/** More columns than the labels need (masks, points) follow behind them. */
function knownColumns({ shape }: Values, least: number | undefined): number | undefined {
  return least !== undefined && shape.includes(least) ? least : undefined;
}

/** Middle, width and height, whether there is anything, then the scores of the classes. */
const yolov5: Decode = ({ name, labels, threshold }, { main, unitX, unitY }, found) => {
  const table = tableOf(name, main, knownColumns(main, labels && 5 + labels.length));
  const { data, rows, columns, rowStep, step } = table;
  const classes = labels?.length ?? columns - 5;
  if (classes < 1 || columns < 5 + classes) {
    throw unreadable(name, main.shape, `rows of 5 numbers and ${labels?.length ?? 1} scores`);
  }
  for (let row = 0; row < rows; row++) {
    const at = row * rowStep, there = data[at + 4 * step]!;
    if (!(there >= threshold)) continue;
    let kind = -1, best = -Infinity;
    for (let c = 0, score = at + 5 * step; c < classes; c++, score += step) {
      if (data[score]! > best) best = data[score]!, kind = c;
    }
    if (!(there * best >= threshold)) continue;
    const x = data[at]! * unitX, y = data[at + step]! * unitY;
    const w = data[at + 2 * step]! * unitX / 2, h = data[at + 3 * step]! * unitY / 2;
    found.add(x - w, y - h, x + w, y + h, there * best, kind, row);
  }
};

const STRIDES = [8, 16, 32, 64];

/** As YOLOv5, but the middle counts in cells from its own, and sizes are logarithms of cells. */
const yolox: Decode = (output, head, found) => {
  if (output.decoded) return yolov5(output, head, found);
  const { name, labels } = output;
  const { main, width, height } = head;
  const { data, rows, columns, rowStep, step } = tableOf(
    name,
    main,
    knownColumns(main, labels && 5 + labels.length),
  );
  const decoded = new Float32Array(rows * columns);
  let row = 0;
  for (const stride of STRIDES) {
    if (row === rows) break;
    const across = Math.floor(width / stride), down = Math.floor(height / stride);
    if (row + across * down > rows) break;
    for (let cell = 0; cell < across * down; cell++, row++) {
      const from = row * rowStep, to = row * columns;
      decoded[to] = (data[from]! + cell % across) * stride;
      decoded[to + 1] = (data[from + step]! + Math.floor(cell / across)) * stride;
      decoded[to + 2] = Math.exp(data[from + 2 * step]!) * stride;
      decoded[to + 3] = Math.exp(data[from + 3 * step]!) * stride;
      for (let c = 4; c < columns; c++) decoded[to + c] = data[from + c * step]!;
    }
  }
  if (row !== rows) {
    throw unreadable(name, main.shape, `the cells of strides 8, 16, 32 in ${width}x${height}`);
  }
  yolov5(output, { ...head, main: { data: decoded, shape: [rows, columns] } }, found);
};

const CORNERS: readonly Column[] = ["left", "top", "right", "bottom"];
const MIDDLES: readonly Column[] = ["x", "y", "width", "height"];

/** What reads the sides of a box from a row that begins at a position. */
function sidesOf(name: string, { data, step }: Table, columns: readonly Column[]) {
  const place = (column: Column) => columns.indexOf(column) * step;
  const has = (...wanted: Column[]) => wanted.every((column) => columns.includes(column));
  const axis = (low: Column, high: Column, middle: Column, size: Column) => {
    if (has(low, high)) {
      const a = place(low), b = place(high);
      return (at: number) => [data[at + a]!, data[at + b]!] as const;
    }
    if (has(middle, size)) {
      const a = place(middle), b = place(size);
      return (at: number) => {
        const m = data[at + a]!, half = data[at + b]! / 2;
        return [m - half, m + half] as const;
      };
    }
    if (has(low, size)) {
      const a = place(low), b = place(size);
      return (at: number) => [data[at + a]!, data[at + a]! + data[at + b]!] as const;
    }
    throw unreadable(
      name,
      [columns.length],
      `columns ${low} and ${high}, or ${middle} and ${size}`,
    );
  };
  return {
    across: axis("left", "right", "x", "width"),
    down: axis("top", "bottom", "y", "height"),
  };
}

/** Rows that say what each of their numbers is; what ends in NMS has as many as it found. */
const rows: Decode = (output, head, found) => {
  if (head.boxes !== undefined) return heads(output, head, found);
  const { name, threshold, firstClass, columns = [] } = output;
  if (head.main.data.length === 0) return;
  const table = tableOf(name, head.main, columns.length);
  if (table.columns !== columns.length) {
    throw unreadable(name, head.main.shape, `rows of ${columns.length} numbers, as columns says`);
  }
  const { data, rowStep, step } = table;
  const { across, down } = sidesOf(name, table, columns);
  const [score, kind, batch] = (["score", "class", "batch"] as const)
    .map((column) => columns.indexOf(column) * step) as [number, number, number];
  for (let row = 0; row < table.rows; row++) {
    const at = row * rowStep;
    if (batch >= 0 && data[at + batch] !== head.frame) continue;
    const sure = score < 0 ? 1 : data[at + score]!;
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
  const { name, format, labels, threshold, firstClass, activation } = output;
  const { main, boxes, classes, unitX, unitY } = head;
  if (boxes === undefined || boxes.data.length === 0) return;
  const sides = tableOf(output.boxes ?? name, boxes, 4);
  const columns = output.columns ?? (format === "detr" && !classes ? MIDDLES : CORNERS);
  const { across, down } = sidesOf(name, sides, columns);
  const add = (row: number, score: number, kind: number) => {
    if (!(score >= threshold)) return;
    const at = row * sides.rowStep;
    const [left, right] = across(at), [top, bottom] = down(at);
    found.add(left * unitX, top * unitY, right * unitX, bottom * unitY, score, kind, row);
  };
  const count = sides.rows;
  if (classes !== undefined || main.data.length === count) {
    for (let row = 0; row < Math.min(count, main.data.length); row++) {
      const kind = classes === undefined ? 0 : Math.round(classes.data[row]!) - firstClass;
      const score = main.data[row]!;
      add(row, activation === "sigmoid" ? sigmoid(score) : score, kind);
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

const END_TO_END: readonly Column[] = ["left", "top", "right", "bottom", "score", "class"];

/** All formats. */
export const DECODERS: Readonly<Record<ObjectFormat, Decode>> = {
  yolov5,
  yolov8,
  yolox,
  yolov10: (output, head, found) => rows({ ...output, columns: END_TO_END }, head, found),
  ssd: heads,
  detr: heads,
  centernet: addPeaks,
  rows,
};
