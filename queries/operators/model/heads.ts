// The usual heads of models, known by the names and shapes of their outputs.
import type { Dimension, OnnxFile, OnnxValue } from "./onnx_file.ts";
import { cellCount } from "./readers/cells.ts";

/** A head that is known. */
export interface Head {
  /** What it looks like, for people. */
  readonly description: string;
  /** The entry of the manifest's outputs, without labels. */
  readonly output: Readonly<Record<string, unknown>>;
  /** How such models mostly take pictures. */
  readonly input?: Readonly<Record<string, unknown>>;
  /** How many labels it has, where the shape tells. */
  readonly classes?: number;
  /** What the reader needs and the file does not say. */
  readonly asks?: string;
}

/** Pixels of a model's input. */
interface Side {
  readonly width: number;
  readonly height: number;
}

const ULTRALYTICS = { resize: "letterbox", pad: 114 };
const NANODET = {
  color: "BGR",
  scale: 1,
  mean: [103.53, 116.28, 123.675],
  std: [57.375, 57.12, 58.395],
};
const YOLOX = {
  color: "BGR",
  resize: "letterbox",
  align: "start",
  pad: 114,
  scale: 1,
};

/** Names of classes that exporters write into the file: `{0: 'person', 1: 'bicycle'}`. */
export function labelsIn({ metadata }: OnnxFile): string[] | undefined {
  const text = metadata["names"];
  if (text === undefined) return undefined;
  const labels: string[] = [];
  for (const [, number, single, double] of text.matchAll(/(\d+): (?:'([^']*)'|"([^"]*)")/g)) {
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

/** The head of a model, or undefined where it is none of the usual ones. */
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

/** Boxes, scores and classes in tensors of their own. */
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
      return {
        description: "a DETR whose boxes are in pixels of the frame",
        output: { ...own, format: "detr" },
        input: { resize: "fill" },
      };
    }
    if (/^detection_/.test(boxes.name)) {
      const columns = ["top", "left", "bottom", "right"];
      return {
        description: "an SSD of TensorFlow, suppressed already",
        output: { ...own, format: "ssd", columns, units: "fractions", iou: 1, firstClass: 1 },
        input: { resize: "fill", scale: 1 },
      };
    }
    return {
      description: "boxes after NMS, in tensors of their own",
      output: { ...own, format: "rows", units: "pixels" },
      input: ULTRALYTICS,
    };
  }
  const count = scores.shape?.at(-1), rows = scores.shape?.at(-2);
  const kinds = typeof count === "number" ? count : undefined;
  if (/logit/i.test(scores.name)) {
    // The first DETR has a class for nothing, and hundred questions.
    const isFirst = rows === 100;
    return {
      description: "a DETR",
      output: { ...head, format: "detr", activation: isFirst ? "softmax" : "sigmoid" },
      input: { resize: "fill" },
      ...(kinds === undefined ? {} : { classes: isFirst ? kinds - 1 : kinds }),
    };
  }
  return {
    description: "an SSD",
    output: { ...head, format: "ssd", units: "fractions" },
    ...(kinds === undefined ? {} : { classes: kinds - 1 }),
  };
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

/** Tensors for each grid of cells, the finest first. */
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
      asks:
        "anchors: the file does not hold them. Write for each level the widths and heights that " +
        'the model was trained with; YOLOv5\'s own are "anchors": [[10, 13, 16, 30, 33, 23], ' +
        "[30, 61, 62, 45, 59, 119], [116, 90, 156, 198, 373, 326]]",
    };
  }
  if (each !== 2) return undefined;
  // The numbers of the sides are four times the bins.
  const isSides = ({ name }: OnnxValue) => /dis|reg|box/i.test(name);
  const pairs = levels.map((level) => level.toSorted((a, b) => +isSides(a) - +isSides(b)));
  return {
    description: "a NanoDet",
    output: {
      ...objects,
      name: pairs[0]![0]!.name,
      format: "nanodet",
      levels: pairs.map((pair) => pair.map(({ name }) => name)),
    },
    input: NANODET,
    classes: Number(pairs[0]![0]!.shape![shape.length === 3 ? 2 : 1]),
  };
}

function oneTensor(
  file: OnnxFile,
  { name, dtype, shape = [] }: OnnxValue,
  outputs: number,
  { width, height }: Side,
): Head | undefined {
  const objects = { name, kind: "objects" };
  const [, second, third] = shape;
  if (shape.length === 2 && second === 7) {
    const columns = ["batch", "left", "top", "right", "bottom", "class", "score"];
    return {
      description: "rows after NMS",
      output: { ...objects, format: "rows", columns, units: "pixels" },
      input: ULTRALYTICS,
    };
  }
  const paddle = file.inputs.some(({ name }) => name === "scale_factor");
  if (paddle && shape.length === 2 && second === 6) {
    const columns = ["class", "score", "left", "top", "right", "bottom"];
    return {
      description: "rows after NMS of PaddleDetection",
      output: { ...objects, format: "rows", columns, units: "frame" },
      input: { resize: "fill" },
    };
  }
  const isNumbers = /^u?int/.test(dtype) && shape.length === 3;
  if (isNumbers && second === height && third === width) {
    return { description: "a map of the numbers of classes", output: { name, kind: "map" } };
  }
  if (shape.length === 4) {
    const isWhole = (size: Dimension | undefined, side: number) =>
      typeof size === "string" || (size !== undefined && size >= side / 8);
    if (outputs > 1 || !isWhole(shape[2], height) || !isWhole(shape[3], width)) return undefined;
    return {
      description: "a map of classes",
      output: { name, kind: "map" },
      ...(typeof second === "number" && second > 1 ? { classes: second } : {}),
    };
  }
  if (shape.length !== 3 || second === undefined || third === undefined) return undefined;
  if (third === 6 && (second === 300 || typeof second === "string")) {
    if (/detr/i.test(file.metadata["head"] ?? "")) {
      const columns = ["x", "y", "width", "height", "score", "class"];
      return {
        description: "an RT-DETR of ultralytics",
        output: { ...objects, format: "rows", columns, units: "fractions" },
        input: { resize: "fill" },
      };
    }
    return {
      description: "a YOLOv10 or other YOLO without NMS",
      output: { ...objects, format: "yolov10" },
      input: ULTRALYTICS,
    };
  }
  if (second === 300 && typeof third === "number" && labelsIn(file)?.length === third - 4) {
    return {
      description: "an RT-DETR of ultralytics",
      output: { ...objects, format: "yolov8", units: "fractions", iou: 1 },
      input: { resize: "fill" },
    };
  }
  const cells = cellCount(width, height, 3);
  const isCells = (size: Dimension) => size === cells || typeof size === "string";
  if (typeof second === "number" && second >= 5 && isCells(third)) {
    if (file.metadata["task"] === "pose") return pose(name, second, file);
    const masks = outputs > 1 ? 32 : 0;
    return {
      description: "a YOLOv8, v9 or v11",
      output: { ...objects, format: "yolov8" },
      input: ULTRALYTICS,
      classes: second - 4 - masks,
    };
  }
  if (typeof third !== "number" || third < 6) return undefined;
  if (second === 3 * cells) {
    return {
      description: "a YOLOv5 or v7",
      output: { ...objects, format: "yolov5" },
      input: ULTRALYTICS,
      classes: third - 5,
    };
  }
  const isFirst = second === cells && file.inputs[0]?.name === "data";
  if (third > 32 && (isFirst || second === cellCount(width, height, 4))) {
    return {
      description: isFirst ? "a NanoDet" : "a NanoDet-Plus",
      output: { ...objects, format: "nanodet" },
      input: NANODET,
      classes: third - 32,
    };
  }
  if (second === cells) {
    return {
      description: "a YOLOX",
      output: { ...objects, format: "yolox" },
      input: YOLOX,
      classes: third - 5,
    };
  }
  return undefined;
}

function pose(name: string, rows: number, { metadata }: OnnxFile): Head {
  const [, points, each] = /^\[(\d+), (\d)\]$/.exec(metadata["kpt_shape"] ?? "[17, 3]")!;
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
