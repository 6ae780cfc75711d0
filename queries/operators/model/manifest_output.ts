// The outputs of a model, as its manifest describes them.
import type { Fields } from "../../../runtime/mod.ts";

/** How a model's numbers become scores. */
export const ACTIVATIONS = ["none", "sigmoid", "softmax"] as const;
export type Activation = typeof ACTIVATIONS[number];

/** Scores: `window`: one set of values for all frames; `frame`: one for each. */
export interface ScoresOutput {
  readonly name: string;
  readonly kind: "window" | "frame";
  readonly activation: Activation;
  readonly labels?: readonly string[];
  /** Keeps only this many of the highest. */
  readonly top?: number;
}

const FOUND = ["format", "labels", "threshold", "iou", "agnostic", "maxObjects"] as const;
const BOXES = [...FOUND, "activation", "units", "scores"] as const;
const TENSORS = [...BOXES, "boxes", "classes", "firstClass"] as const;

/** The formats of objects, with the fields that each one reads. */
const OBJECTS = {
  yolov5: [...BOXES, "levels", "anchors"],
  yolov8: [...BOXES, "levels"],
  yolov10: [...TENSORS, "levels"],
  yolox: [...BOXES, "levels", "decoded"],
  nanodet: [...BOXES, "levels"],
  ssd: [...TENSORS, "columns"],
  detr: [...TENSORS, "columns"],
  centernet: [...BOXES, "boxes", "offsets"],
  rows: [...TENSORS, "columns", "levels"],
} as const;
export type ObjectFormat = keyof typeof OBJECTS;

/** The formats of keypoints, likewise. */
const KEYPOINTS = {
  yolov8: [...FOUND, "points", "units"],
  points: ["format", "labels", "threshold", "points", "units", "columns"],
  heatmaps: ["format", "labels", "threshold", "points"],
} as const;

const CORNERS = ["left", "top", "right", "bottom"] as const;
const MIDDLES = ["x", "y", "width", "height"] as const;

/** Meanings of a column; `x` and `y` are the centre of a box. */
export const COLUMNS = [...CORNERS, ...MIDDLES, "score", "class", "batch", "other"] as const;
export type Column = typeof COLUMNS[number];

/** `pixels` and `fractions` of the model's input, or pixels of the source `frame`. */
export const UNITS = ["pixels", "fractions", "frame"] as const;
export type Units = typeof UNITS[number];

export interface ObjectsOutput {
  readonly name: string;
  readonly kind: "objects";
  /** YOLOv10 has rows, and a YOLOX whose boxes are decoded is a YOLOv5. */
  readonly format: Exclude<ObjectFormat, "yolov10">;
  readonly labels?: readonly string[];
  /** Objects below this score are dropped. */
  readonly threshold: number;
  /** Of two boxes that overlap by more, the one with the lower score is dropped; 1 keeps all. */
  readonly iou: number;
  /** True compares boxes of all classes; else only those of the same class. */
  readonly agnostic: boolean;
  /** Most objects in a frame, the highest scores first. */
  readonly maxObjects: number;
  readonly activation: Activation;
  /** Names of the tensors, if the head has several. */
  readonly boxes?: string;
  readonly scores?: string;
  readonly classes?: string;
  readonly offsets?: string;
  /** Tensor names for each grid, finest first, for heads with a tensor per grid. */
  readonly levels?: readonly (readonly string[])[];
  /** YOLOv5 before its boxes are decoded: width and height of each anchor in pixels, for each grid. */
  readonly anchors?: readonly (readonly number[])[];
  /** The meaning of the numbers of a row, or of a box where boxes have a tensor of their own. */
  readonly columns: readonly Column[];
  readonly units: Units;
  /** Number of the first label's class. */
  readonly firstClass: number;
}

/** Points of bodies, faces, hands. */
export interface KeypointsOutput extends
  Pick<
    ObjectsOutput,
    "name" | "labels" | "threshold" | "iou" | "agnostic" | "maxObjects" | "units"
  > {
  readonly kind: "keypoints";
  /** `yolov8`: boxes with points; `points`: a list of points; `heatmaps`: a map for each point. */
  readonly format: keyof typeof KEYPOINTS;
  readonly points: readonly string[];
  /** Meaning of each number of a point, for `points`. */
  readonly columns: readonly ("x" | "y" | "score" | "other")[];
}

/** A class for each cell of the picture. */
export interface MapOutput {
  readonly name: string;
  readonly kind: "map";
  readonly activation: Activation;
  readonly labels?: readonly string[];
  /** For a single channel: the value from which a cell belongs to the class. */
  readonly threshold: number;
  /** Whether results carry the mask as a PNG, whose samples are the numbers of the classes. */
  readonly mask: boolean;
}

export interface VectorOutput {
  readonly name: string;
  readonly kind: "vector";
  /** Whether to scale it to length 1. */
  readonly normalize: boolean;
}

export type ModelOutput =
  | ScoresOutput
  | ObjectsOutput
  | KeypointsOutput
  | MapOutput
  | VectorOutput;

const SCORES = ["activation", "labels", "top"];
const HEADS = ["boxes", "scores", "classes", "offsets"] as const;

/** Fields of each kind, or of each of its formats, besides `name` and `kind`. */
const FIELDS = {
  window: SCORES,
  frame: SCORES,
  scores: SCORES,
  objects: OBJECTS,
  keypoints: KEYPOINTS,
  map: ["activation", "labels", "threshold", "mask"],
  vector: ["normalize"],
} as const;
type Kind = keyof typeof FIELDS;
const KINDS = Object.keys(FIELDS) as readonly Kind[];

/** The authors' overlap above which boxes count as duplicates; 1 for heads without duplicates. */
const IOUS: Readonly<Partial<Record<ObjectFormat, number>>> = {
  ...{ yolov10: 1, detr: 1, centernet: 1, rows: 1 },
  nanodet: 0.6,
};
const IOU = 0.45;

const SHARE = { min: 0, max: 1 };
const MANY = { min: 1, max: 1000, whole: true };

export function readOutputs(manifest: Fields): ModelOutput[] {
  return manifest.list("outputs", (place, json) => {
    const given = json as { readonly kind?: unknown; readonly format?: unknown } | null | undefined;
    const kind = KINDS.find((known) => known === given?.kind);
    const names = fieldsOf(FIELDS[kind ?? "window"], given?.format);
    const fields = manifest.object(place, ["name", "kind", ...names], json);
    if (kind === undefined) fields.add("kind", `one of ${KINDS.join(", ")}`);
    return readOutput(fields, kind ?? "window");
  });
}

/** Without a known format those of all. */
function fieldsOf(
  own: readonly string[] | Readonly<Record<string, readonly string[]>>,
  format: unknown,
): readonly string[] {
  if (Array.isArray(own)) return own;
  const formats = new Map(Object.entries(own));
  return formats.get(format as string) ?? [...new Set([...formats.values()].flat())];
}

function readOutput(fields: Fields, kind: Kind): ModelOutput {
  const name = fields.text("name");
  const labels = namesIn(fields, "labels");
  const common = { name, ...(labels === undefined ? {} : { labels }) };
  switch (kind) {
    case "window":
    case "frame":
    case "scores":
      return {
        ...common,
        kind: kind === "scores" ? "window" : kind,
        activation: fields.word("activation", ACTIVATIONS, "none"),
        ...(fields.given["top"] === undefined ? {} : { top: fields.number("top", MANY) }),
      };
    case "objects":
      return { ...common, ...readObjects(fields) };
    case "keypoints":
      return { ...common, ...readKeypoints(fields) };
    case "map":
      return {
        ...common,
        kind,
        activation: fields.word("activation", ACTIVATIONS, "none"),
        threshold: fields.number("threshold", { ...SHARE, absent: 0.5 }),
        mask: fields.flag("mask"),
      };
    case "vector":
      return { name, kind, normalize: fields.flag("normalize") };
  }
}

function namesIn(fields: Fields, name: string): string[] | undefined {
  if (fields.given[name] === undefined) return undefined;
  const names = fields.list(name, (place, item) => fields.text(place, item));
  fields.unique(name, names);
  return names;
}

function readFound(fields: Fields, iou: number) {
  return {
    threshold: fields.number("threshold", { ...SHARE, absent: 0.25 }),
    iou: fields.number("iou", { ...SHARE, absent: iou }),
    agnostic: fields.flag("agnostic"),
    maxObjects: fields.number("maxObjects", { ...MANY, absent: 300 }),
  };
}

function readObjects(fields: Fields): Omit<ObjectsOutput, "name" | "labels"> {
  const format = fields.word("format", Object.keys(OBJECTS) as ObjectFormat[]);
  const columns = readColumns(fields, COLUMNS);
  const { boxes, classes, anchors } = fields.given;
  const isApart = ["ssd", "detr", "centernet"].includes(format) || classes !== undefined;
  if (isApart && boxes === undefined) {
    const what = format === "centernet" ? "sides of the boxes" : "boxes";
    fields.add("boxes", `the name of the output with the ${what}`);
  }
  if (format === "rows" && columns === undefined && boxes === undefined) {
    fields.add("columns", `what each column is (${COLUMNS.join(", ")})`);
  }
  if (columns !== undefined && !areBoxes(columns)) {
    fields.add("columns", "left and right, x and width, or left and width; down likewise");
  }
  const isDetr = format === "detr" && classes === undefined;
  const isHead = ["ssd", "detr", "rows"].includes(format) && boxes !== undefined;
  const isRows = format === "yolov10" && boxes === undefined;
  const isRaw = format === "yolov5" && anchors !== undefined;
  const isDecoded = fields.flag("decoded");
  const isCells = isRaw || ["nanodet", "centernet"].includes(format) ||
    (format === "yolox" && !isDecoded);
  const units = isDetr || format === "ssd" ? "fractions" : "pixels";
  return {
    kind: "objects",
    format: format === "yolov10" ? "rows" : format === "yolox" && isDecoded ? "yolov5" : format,
    ...readFound(fields, IOUS[format] ?? IOU),
    activation: fields.word(
      "activation",
      // Softmax is over the scores of the classes, in a tensor of their own.
      isHead && classes === undefined ? ACTIVATIONS : isRaw ? ["sigmoid"] : ["none", "sigmoid"],
      isDetr || isRaw ? "sigmoid" : "none",
    ),
    ...fields.texts(...HEADS),
    ...readGrids(fields, format),
    columns: columns ?? (isDetr ? MIDDLES : isRows ? [...CORNERS, "score", "class"] : CORNERS),
    // Cells are of the input's pixels.
    units: fields.word("units", isCells ? ["pixels", "frame"] : UNITS, units),
    firstClass: fields.number("firstClass", { min: 0, max: 1000, whole: true, absent: 0 }),
  };
}

/** Whether columns say where both sides of a box are, across and down. */
function areBoxes(columns: readonly Column[]): boolean {
  return [["left", "right", "x", "width"], ["top", "bottom", "y", "height"]].every((axis) => {
    const [low, high, middle, size] = axis.map((column) => columns.includes(column as Column));
    return low && (high || size) || middle && size;
  });
}

/** The tensors of a head with one per grid, and its anchors. */
function readGrids(
  fields: Fields,
  format: ObjectFormat,
): Pick<ObjectsOutput, "levels" | "anchors"> {
  const { levels: given, anchors } = fields.given;
  const levels = given === undefined ? undefined : fields.list(
    "levels",
    (place, names) => [names].flat().map((name) => fields.text(place, name)),
  );
  const each = levels?.[0]?.length;
  const isOdd = levels?.some(({ length }) => length === 0 || length !== each);
  if (isOdd || (levels && HEADS.some((head) => fields.given[head] !== undefined))) {
    fields.add("levels", `equally many outputs for each grid, and no ${HEADS.join(", ")} beside`);
  }
  const grids = levels === undefined ? {} : { levels };
  if (format !== "yolov5" || (given ?? anchors) === undefined) return grids;
  const count = levels?.length;
  if (areAnchors(anchors) && anchors.length === (count ?? anchors.length)) {
    return { ...grids, anchors };
  }
  const accepted =
    `for each of ${count ?? 3} levels the widths and heights in pixels that the model ` +
    "was trained with, as in [[10, 13, 16, 30, 33, 23], …]";
  fields.add("anchors", accepted);
  return grids;
}

/** Widths and heights in pixels, equally many for each level. */
function areAnchors(json: unknown): json is number[][] {
  return Array.isArray(json) &&
    json.every((row) =>
      Array.isArray(row) && row.length > 0 && row.length % 2 === 0 &&
      row.length === json[0].length && row.every((size) => size > 0)
    );
}

function readKeypoints(fields: Fields): Omit<KeypointsOutput, "name" | "labels"> {
  const format = fields.word("format", Object.keys(KEYPOINTS) as (keyof typeof KEYPOINTS)[]);
  const { labels } = fields.given;
  if (format !== "yolov8" && Array.isArray(labels) && labels.length > 1) {
    fields.add("labels", "one label, since there is one body");
  }
  const points = namesIn(fields, "points");
  if (points === undefined) fields.add("points", "a list with at least one entry");
  const columns = readColumns(fields, ["x", "y", "score", "other"]) ?? ["x", "y", "score"];
  if (!columns.includes("x") || !columns.includes("y")) fields.add("columns", "x and y among them");
  return {
    kind: "keypoints",
    format,
    points: points ?? [],
    ...readFound(fields, IOU),
    columns,
    units: fields.word(
      "units",
      ["pixels", "fractions"],
      format === "points" ? "fractions" : "pixels",
    ),
  };
}

function readColumns<const C extends string>(
  fields: Fields,
  accepted: readonly C[],
): C[] | undefined {
  if (fields.given["columns"] === undefined) return undefined;
  const columns = fields.list(
    "columns",
    (place, item) => fields.word(place, accepted, undefined, item ?? null),
  );
  fields.unique("columns", columns.filter((column) => column !== "other"));
  return columns;
}
