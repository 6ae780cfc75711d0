// A tensor of two dimensions as rows of numbers.
import type { ObjectsOutput } from "../manifest_output.ts";
import type { Values } from "./numbers.ts";
import { unreadable } from "./reader.ts";

/** Rows of numbers, stored row by row or column by column. */
export interface Table {
  readonly data: Values["data"];
  readonly rows: number;
  readonly columns: number;
  /** Strides: between rows, and between the numbers of a row. */
  readonly rowStep: number;
  readonly step: number;
}

/**
 * A tensor of two dimensions as rows.
 *
 * @param columns numbers per row, if the labels define it; default: the smaller dimension
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
export function bestClasses({ data, rows, rowStep, step }: Table, first: number, classes: number) {
  const best = new Float32Array(rows).fill(-Infinity), kinds = new Int32Array(rows).fill(-1);
  // Class by class: the scores of a class are usually adjacent.
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

/**
 * A tensor as rows of `before` numbers, a score for each class, and perhaps more, which are masks or points.
 *
 * @param columns numbers per row, if more than the labels define them
 */
export function classTable(
  { name, labels }: Pick<ObjectsOutput, "name" | "labels">,
  values: Values,
  before: number,
  columns?: number,
): Table & { readonly classes: number } {
  const usual = labels && values.shape.find((size) => size === before + labels.length);
  const table = tableOf(name, values, columns ?? usual);
  const classes = labels?.length ?? table.columns - before;
  if (classes >= 1 && table.columns >= before + classes) return { ...table, classes };
  throw unreadable(
    name,
    values.shape,
    `rows of ${before} numbers and ${labels?.length ?? 1} scores`,
  );
}
