// Decodes heads with grids of cells, at strides of 8, 16, 32 and sometimes 64 pixels.
import type { ObjectsOutput } from "../manifest_output.ts";
import type { Candidates } from "./candidates.ts";
import type { Decode, HeadTensors } from "./head_tensors.ts";
import { activationOf, type Numbers, sigmoid, type Values } from "./numbers.ts";
import { unreadable } from "./reader.ts";
import { classTable, type Table, tableOf } from "./table.ts";

/** A cell of a grid; counts start at the left and the top. */
interface Cell {
  readonly x: number;
  readonly y: number;
  readonly stride: number;
  /** Index of its grid, finest first. */
  readonly level: number;
  /** Index of its anchor. */
  readonly turn: number;
}

const STRIDES = [8, 16, 32, 64];

export function cellCount(width: number, height: number, grids: number): number {
  return STRIDES.slice(0, grids).reduce(
    (sum, stride) => sum + Math.ceil(width / stride) * Math.ceil(height / stride),
    0,
  );
}

/** Returns a function from a row to its cell. Rows go grid by grid, and within a grid anchor by anchor. */
function cellsOf(
  name: string,
  { main, width, height }: HeadTensors,
  rows: number,
  anchors = 1,
): (row: number) => Cell {
  const grids = STRIDES.map((stride, level) => ({
    stride,
    level,
    across: Math.ceil(width / stride),
    plane: cellCount(width, height, level + 1) - cellCount(width, height, level),
    first: anchors * cellCount(width, height, level),
  }));
  if (!STRIDES.some((_, i) => anchors * cellCount(width, height, i + 1) === rows)) {
    throw unreadable(name, main.shape, `the cells of strides 8, 16, 32 in ${width}x${height}`);
  }
  return (row) => {
    const { stride, level, across, plane, first } = grids.findLast((grid) => grid.first <= row)!;
    const cell = (row - first) % plane;
    const turn = Math.floor((row - first) / plane);
    return { x: cell % across, y: Math.floor(cell / across), stride, level, turn };
  };
}

/**
 * Joins the tensors of a head that has some for each grid into one, grid after grid. The columns of a
 * grid's tensors are placed side by side. Accepted shapes are [rows, columns],
 * [anchors, height, width, columns] and [anchors × columns, height, width].
 */
export function stacked(
  { name, anchors: sizes }: ObjectsOutput,
  levels: readonly (readonly Values[])[],
): Values {
  const anchors = (sizes?.[0]?.length ?? 2) / 2;
  const widthOf = ({ shape }: Values) => shape.length === 3 ? shape[0]! / anchors : shape.at(-1)!;
  const columns = levels[0]!.reduce((sum, part) => sum + widthOf(part), 0);
  const size = levels.flat().reduce((sum, { data }) => sum + data.length, 0);
  if (!Number.isInteger(columns) || !Number.isInteger(size / columns)) {
    throw unreadable(name, levels[0]![0]!.shape, `the numbers of ${anchors} anchors in each cell`);
  }
  const all = new Float32Array(size);
  let to = 0;
  for (const level of levels) {
    let column = 0, rows = 0;
    for (const part of level) {
      const { data, shape } = part, width = widthOf(part), plane = shape[1]! * shape.at(-1)!;
      const isPlanes = shape.length === 3, step = isPlanes ? plane : 1;
      rows = data.length / width;
      for (let row = 0; row < rows; row++) {
        const from = isPlanes ? Math.floor(row / plane) * width * plane + row % plane : row * width;
        for (let c = 0; c < width; c++) {
          all[to + row * columns + column + c] = data[from + c * step]!;
        }
      }
      column += width;
    }
    to += rows * columns;
  }
  return { data: all, shape: [size / columns, columns] };
}

/** Reads the box of a row as centre, width and height, in pixels of the input. */
type BoxOf = (at: number, row: number) => readonly [x: number, y: number, w: number, h: number];

/** Decodes rows of a box, an object score and class scores. */
function addSure(
  output: ObjectsOutput,
  { main }: HeadTensors,
  found: Candidates,
  boxesOf: (table: Table) => BoxOf,
  activate = activationOf(output),
): void {
  const { threshold } = output;
  const table = classTable(output, main, 5);
  const { data, rows, rowStep, step, classes } = table;
  const boxOf = boxesOf(table);
  for (let row = 0; row < rows; row++) {
    const at = row * rowStep, there = activate(data[at + 4 * step]!);
    if (!(there >= threshold)) continue;
    let kind = -1, best = -Infinity;
    for (let c = 0, score = at + 5 * step; c < classes; c++, score += step) {
      if (data[score]! > best) best = data[score]!, kind = c;
    }
    const sure = there * activate(best);
    if (!(sure >= threshold)) continue;
    const [x, y, w, h] = boxOf(at, row);
    found.add(x - w / 2, y - h / 2, x + w / 2, y + h / 2, sure, kind, row);
  }
}

/** YOLOv5: centre, width, height, object score, class scores. */
export const yolov5: Decode = (output, head, found) => {
  if (output.anchors !== undefined) return anchored(output, head, found);
  const { unitX, unitY } = head;
  addSure(output, head, found, ({ data, step }) => (at) => [
    data[at]! * unitX,
    data[at + step]! * unitY,
    data[at + 2 * step]! * unitX,
    data[at + 3 * step]! * unitY,
  ]);
};

/** YOLOv5 before decoding: the same as logits, with centres relative to the cell and sizes to the anchor. */
const anchored: Decode = (output, head, found) => {
  const { name, anchors = [] } = output;
  addSure(output, head, found, ({ data, rows, step }) => {
    const cellOf = cellsOf(name, head, rows, anchors[0]!.length / 2);
    return (at, row) => {
      const { x, y, stride, level, turn } = cellOf(row);
      const part = (i: number) => 2 * sigmoid(data[at + i * step]!);
      const sizeOf = (i: number) => part(2 + i) ** 2 * anchors[level]![2 * turn + i]!;
      const [left, top] = [(part(0) - 0.5 + x) * stride, (part(1) - 0.5 + y) * stride];
      return [left, top, sizeOf(0), sizeOf(1)];
    };
  }, sigmoid);
};

/** YOLOX: as YOLOv5, but centres are offsets in cells, and sizes logarithms of cells. */
export const yolox: Decode = (output, head, found) => {
  addSure(output, head, found, ({ data, rows, step }) => {
    const cellOf = cellsOf(output.name, head, rows);
    return (at, row) => {
      const { x, y, stride } = cellOf(row);
      const size = (i: number) => Math.exp(data[at + i * step]!) * stride;
      return [(data[at]! + x) * stride, (data[at + step]! + y) * stride, size(2), size(3)];
    };
  });
};

/** Usual number of bins for each side of a box, as in NanoDet-Plus. */
const BINS = 8;

/**
 * NanoDet: class scores, then for each side of the box a distribution over its distance from the cell, in
 * strides; its mean is the distance. NanoDet-Plus, which has a stride of 64, measures from the corner of a
 * cell, the first NanoDet from its centre.
 */
export const nanodet: Decode = (output, head, found) => {
  const { name, labels, threshold } = output;
  const { main, width, height } = head;
  const activate = activationOf(output);
  const { data, rows, columns } = tableOf(name, main, main.shape.at(-1));
  const classes = labels?.length ?? columns - 4 * BINS;
  const bins = (columns - classes) / 4;
  if (classes < 1 || bins < 2 || !Number.isInteger(bins)) {
    const accepted = `rows of ${
      labels?.length ?? 1
    } scores and 4 times as many numbers for each side`;
    throw unreadable(name, main.shape, accepted);
  }
  const cellOf = cellsOf(name, head, rows);
  const middle = rows > cellCount(width, height, 3) ? 0 : 0.5;
  for (let row = 0; row < rows; row++) {
    for (let kind = 0; kind < classes; kind++) {
      const at = row * columns + kind;
      const score = activate(data[at]!);
      if (!(score >= threshold)) continue;
      const { x, y, stride } = cellOf(row);
      const far = (side: number) =>
        meanOf(data, row * columns + classes + side * bins, bins) * stride;
      const left = (x + middle) * stride, top = (y + middle) * stride;
      const sides = [left - far(0), top - far(1), left + far(2), top + far(3)] as const;
      const inside = (i: number) => Math.min(i % 2 === 0 ? width : height, Math.max(0, sides[i]!));
      found.add(inside(0), inside(1), inside(2), inside(3), score, kind, row);
    }
  }
};

/** The mean of a distribution over 0, 1, 2, …, given as logits. */
function meanOf(data: Numbers, first: number, bins: number): number {
  let sum = 0, mean = 0;
  for (let i = 0; i < bins; i++) {
    const share = Math.exp(data[first + i]! - data[first]!);
    sum += share;
    mean += i * share;
  }
  return mean / sum;
}
