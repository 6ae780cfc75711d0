// The usual heads of models, known by the names and shapes of their outputs.
import type { Dimension, OnnxFile, OnnxValue } from "./onnx_file.ts";
import { cellCount } from "./readers/cells.ts";

export interface Head {
  readonly description: string;
  /** The entry of the manifest's outputs, without labels. */
  readonly output: Readonly<Record<string, unknown>>;
  /** How such models usually take pictures. */
  readonly input?: Readonly<Record<string, unknown>> | undefined;
  /** Number of labels, if the shape shows it. */
  readonly classes?: number | undefined;
  /** Settings that the reader needs and the file does not contain. */
  readonly asks?: string;
}

/** Pixels of a model's input. */
interface Side {
  readonly width: number;
  readonly height: number;
}

const FILL = { resize: "fill" };
const ULTRALYTICS = { resize: "letterbox", pad: 114 };
const NANODET = {
  color: "BGR",
  scale: 1,
  mean: [103.53, 116.28, 123.675],
  std: [57.375, 57.12, 58.395],
};
const YOLOX = { ...ULTRALYTICS, color: "BGR", align: "start", scale: 1 };

const LABEL = /(?<!\d)(\d{1,6}): (?:'([^']*)'|"([^"]*)")/g;

/** Names of classes that exporters write into the file: `{0: 'person', 1: 'bicycle'}`. */
export function labelsIn({ metadata }: OnnxFile): string[] | undefined {
  const text = metadata["names"];
  if (text === undefined) return undefined;
  const labels: string[] = [];
  for (const [, number, single, double] of text.matchAll(LABEL)) {
    labels[Number(number)] = single ?? double ?? "";
  }
  const isWhole = labels.length > 0 && Array.from(labels).every((label) => label);
  return isWhole ? labels : undefined;
}

/** The size that exporters write into the file: `[640, 640]`, height and width. */
export function sizeIn({ metadata }: OnnxFile): Side | undefined {
  const [, height, width] = /^\[(\d+), (\d+)\]$/.exec(metadata["imgsz"] ?? "") ?? [];
  return height === undefined ? undefined : { width: Number(width), height: Number(height) };
}

/** The head of a model; undefined for unusual ones. */
export function recognizeHead(
  file: OnnxFile,
  outputs: readonly OnnxValue[],
  side: Side,
): Head | undefined {
  return severalTensors(file, outputs) ?? heatMap(outputs, side) ?? grids(outputs, side) ??
    (outputs.length > 0 ? oneTensor(file, outputs[0]!, outputs.length, side) : undefined);
}

function named(outputs: readonly OnnxValue[], ...patterns: RegExp[]): OnnxValue | undefined {
  for (const pattern of patterns) {
    const found = outputs.find(({ name }) => pattern.test(name));
    if (found !== undefined) return found;
  }
  return undefined;
}

function headOf(
  description: string,
  output: Head["output"],
  input?: Head["input"],
  classes?: number,
): Head {
  return { description, output, input, classes };
}

/** Boxes, scores and classes in separate tensors. */
function severalTensors(file: OnnxFile, outputs: readonly OnnxValue[]): Head | undefined {
  const boxes = named(outputs, /box/i);
  if (boxes === undefined || boxes.shape?.at(-1) !== 4) return undefined;
  const scores = named(outputs, /score|conf/i, /logit|prob/i);
  const classes = named(outputs.filter((output) => output !== scores), /class|label/i);
  if (scores === undefined) return undefined;
  const head = { kind: "objects", name: scores.name, boxes: boxes.name };
  if (classes !== undefined) {
    const own = { ...head, classes: classes.name };
    if (file.inputs.some(({ name }) => /target_size|orig/i.test(name))) {
      return headOf("a DETR with boxes in pixels of the frame", { ...own, format: "detr" }, FILL);
    }
    if (/^detection_/.test(boxes.name)) {
      const columns = ["top", "left", "bottom", "right"];
      const reader = { format: "ssd", columns, units: "fractions", iou: 1, firstClass: 1 };
      return headOf("an SSD of TensorFlow", { ...own, ...reader }, { ...FILL, scale: 1 });
    }
    const reader = { format: "rows", units: "pixels" };
    return headOf("boxes after NMS, in several tensors", { ...own, ...reader }, ULTRALYTICS);
  }
  const count = scores.shape?.at(-1), rows = scores.shape?.at(-2);
  const kinds = typeof count === "number" ? count : undefined;
  if (/logit/i.test(scores.name)) {
    // The first DETR has 100 queries, and a class for no object.
    const isFirst = rows === 100;
    const reader = { format: "detr", activation: isFirst ? "softmax" : "sigmoid" };
    return headOf("a DETR", { ...head, ...reader }, FILL, kinds && (isFirst ? kinds - 1 : kinds));
  }
  const reader = { format: "ssd", units: "fractions" };
  return headOf("an SSD", { ...head, ...reader }, undefined, kinds && kinds - 1);
}

/** A heat map of a quarter of the input's side, with the sides of the boxes. */
function heatMap(outputs: readonly OnnxValue[], { height }: Side): Head | undefined {
  const maps = outputs.filter(({ shape }) =>
    shape?.length === 4 && (shape[2] === height / 4 || typeof shape[2] === "string")
  );
  const sides = maps.find(({ shape, name }) => shape![1] === 4 || /wh|size/i.test(name));
  const heat = maps.find((map) => map !== sides && Number(map.shape![1]) > 2);
  if (sides === undefined || heat === undefined) return undefined;
  const offsets = maps.find((map) => map !== sides && map !== heat && map.shape![1] === 2);
  return {
    description: "a CenterNet",
    output: {
      name: heat.name,
      kind: "objects",
      format: "centernet",
      boxes: sides.name,
      ...(offsets === undefined ? {} : { offsets: offsets.name }),
      threshold: 0.3,
    },
    classes: Number(heat.shape![1]),
  };
}

/** Tensors of each grid, finest first. */
function grids(outputs: readonly OnnxValue[], { width, height }: Side): Head | undefined {
  const levels: OnnxValue[][] = [];
  for (let level = 0; level < 4; level++) {
    const cells = cellCount(width, height, level + 1) - cellCount(width, height, level);
    const own = outputs.filter(({ shape = [] }) => {
      const [down, across] = shape.length === 5 ? shape.slice(2) : shape.slice(-2);
      return shape.length === 3 ? shape[1] === cells : shape.length > 3 &&
        Number(down) * Number(across) === cells;
    });
    if (own.length > 0) levels.push(own);
  }
  if (levels.length < 3 || levels.flat().length !== outputs.length) return undefined;
  const [first = [], ...others] = levels;
  const each = first.length, [{ name, shape = [] }] = first as [OnnxValue];
  if (others.some((level) => level.length !== each)) return undefined;
  const objects = { name, kind: "objects" };
  if (each === 1 && shape.length > 3) {
    const columns = Number(shape.length === 5 ? shape[4] : Number(shape[1]) / 3);
    if (!Number.isInteger(columns) || columns < 6) return undefined;
    return {
      description: "a YOLOv5 or v7 whose boxes are not decoded",
      output: { ...objects, format: "yolov5", levels: levels.flat().map(({ name }) => name) },
      input: ULTRALYTICS,
      classes: columns - 5,
      asks: "anchors: they are not in the file. For each level, set the widths and heights that " +
        'the model was trained with; YOLOv5\'s own are "anchors": [[10, 13, 16, 30, 33, 23], ' +
        "[30, 61, 62, 45, 59, 119], [116, 90, 156, 198, 373, 326]]",
    };
  }
  if (each !== 2) return undefined;
  // The numbers of the sides are four times the bins.
  const isSides = ({ name }: OnnxValue) => /dis|reg|box/i.test(name);
  const pairs = levels.map((level) => level.toSorted((a, b) => +isSides(a) - +isSides(b)));
  const own = pairs.map((pair) => pair.map(({ name }) => name));
  const output = { ...objects, name: own[0]![0]!, format: "nanodet", levels: own };
  return headOf(
    "a NanoDet",
    output,
    NANODET,
    Number(pairs[0]![0]!.shape!.at(shape.length === 3 ? -1 : 1)),
  );
}

function oneTensor(
  file: OnnxFile,
  { name, dtype, shape = [] }: OnnxValue,
  outputs: number,
  { width, height }: Side,
): Head | undefined {
  const head = (
    description: string,
    reader: Head["output"],
    input?: Head["input"],
    classes?: number,
  ) => headOf(description, { name, kind: "objects", ...reader }, input, classes);
  const [, second, third] = shape;
  if (shape.length === 2 && second === 7) {
    const columns = ["batch", "left", "top", "right", "bottom", "class", "score"];
    return head("rows after NMS", { format: "rows", columns, units: "pixels" }, ULTRALYTICS);
  }
  const paddle = file.inputs.some(({ name }) => name === "scale_factor");
  if (paddle && shape.length === 2 && second === 6) {
    const columns = ["class", "score", "left", "top", "right", "bottom"];
    const reader = { format: "rows", columns, units: "frame" };
    return head("rows after NMS of PaddleDetection", reader, FILL);
  }
  const isNumbers = /^u?int/.test(dtype) && shape.length === 3;
  if (isNumbers && second === height && third === width) {
    return head("a map of class numbers", { kind: "map" });
  }
  if (shape.length === 4) {
    const isWhole = (size: Dimension | undefined, side: number) =>
      typeof size === "string" || (size !== undefined && size >= side / 8);
    if (outputs > 1 || !isWhole(shape[2], height) || !isWhole(shape[3], width)) return undefined;
    const classes = typeof second === "number" && second > 1 ? second : undefined;
    return head("a map of classes", { kind: "map" }, undefined, classes);
  }
  if (shape.length !== 3 || second === undefined || third === undefined) return undefined;
  if (third === 6 && (second === 300 || typeof second === "string")) {
    if (!/detr/i.test(file.metadata["head"] ?? "")) {
      return head("a YOLOv10 or other YOLO without NMS", { format: "yolov10" }, ULTRALYTICS);
    }
    const columns = ["x", "y", "width", "height", "score", "class"];
    const reader = { format: "rows", columns, units: "fractions" };
    return head("an RT-DETR of ultralytics", reader, FILL);
  }
  if (second === 300 && typeof third === "number" && labelsIn(file)?.length === third - 4) {
    const reader = { format: "yolov8", units: "fractions", iou: 1 };
    return head("an older RT-DETR of ultralytics", reader, FILL);
  }
  const cells = cellCount(width, height, 3);
  const isCells = (size: Dimension) => size === cells || typeof size === "string";
  if (typeof second === "number" && second >= 5 && isCells(third)) {
    if (file.metadata["task"] === "pose") return pose(name, second, file);
    const masks = outputs > 1 ? 32 : 0;
    const classes = second - 4 - masks;
    return head("a YOLOv8, v9 or v11", { format: "yolov8" }, ULTRALYTICS, classes);
  }
  if (typeof third !== "number" || third < 6) return undefined;
  if (second === 3 * cells) {
    return head("a YOLOv5 or v7", { format: "yolov5" }, ULTRALYTICS, third - 5);
  }
  const isFirst = second === cells && file.inputs[0]?.name === "data";
  if (third > 32 && (isFirst || second === cellCount(width, height, 4))) {
    return head("a NanoDet", { format: "nanodet" }, NANODET, third - 32);
  }
  return second === cells ? head("a YOLOX", { format: "yolox" }, YOLOX, third - 5) : undefined;
}

function pose(name: string, rows: number, { metadata }: OnnxFile): Head {
  const [, points = 17, each = 3] = /^\[(\d{1,3}), (\d)\]$/.exec(metadata["kpt_shape"] ?? "") ?? [];
  return {
    description: "a YOLOv8 or v11 for poses",
    output: {
      name,
      kind: "keypoints",
      format: "yolov8",
      points: Array.from({ length: Number(points) }, (_, i) => `point ${i}`),
    },
    input: ULTRALYTICS,
    classes: rows - 4 - Number(points) * Number(each),
  };
}
