/**
 * The outputs of a model, as its manifest describes them.
 *
 * @module
 */
import type { Faults } from "./faults.ts";

/** What can be done to a model's numbers before they are scores. */
export const ACTIVATIONS = ["none", "sigmoid", "softmax"] as const;
export type Activation = typeof ACTIVATIONS[number];

/** Scores: `window`: one set of values for all frames; `frame`: one for each. */
export interface ScoresOutput {
  readonly name: string;
  readonly kind: "window" | "frame";
  readonly activation: Activation;
  readonly labels?: readonly string[];
  /** Keeps only this many, the highest. */
  readonly top?: number;
}

/** How detectors lay out what they find. */
export const OBJECT_FORMATS = [
  "yolov5",
  "yolov8",
  "yolov10",
  "yolox",
  "ssd",
  "detr",
  "centernet",
  "rows",
] as const;
export type ObjectFormat = typeof OBJECT_FORMATS[number];

/** What a column of a row of numbers may be; `x` and `y` are the middle of a box. */
export const COLUMNS = [
  "left",
  "top",
  "right",
  "bottom",
  "x",
  "y",
  "width",
  "height",
  "score",
  "class",
  "batch",
  "other",
] as const;
export type Column = typeof COLUMNS[number];

/** `pixels` and `fractions` of the model's input, or pixels of the source `frame`. */
export const UNITS = ["pixels", "fractions", "frame"] as const;
export type Units = typeof UNITS[number];

/** Objects with their boxes. */
export interface ObjectsOutput {
  readonly name: string;
  readonly kind: "objects";
  readonly format: ObjectFormat;
  readonly labels?: readonly string[];
  /** Objects below this score are left out. */
  readonly threshold: number;
  /** Of two boxes that overlap by more, the one with the lower score is left out; 1 keeps all. */
  readonly iou: number;
  /** True compares boxes of all classes; else only those of the same class. */
  readonly agnostic: boolean;
  /** Most objects in a frame, the highest scores first. */
  readonly maxObjects: number;
  readonly activation: Activation;
  /** Names of the tensors, where the head has several. */
  readonly boxes?: string;
  readonly scores?: string;
  readonly classes?: string;
  readonly offsets?: string;
  readonly columns?: readonly Column[];
  readonly units: Units;
  /** Number of the first label's class. */
  readonly firstClass: number;
  /** YOLOX: true when the boxes are in input pixels already. */
  readonly decoded: boolean;
}

/** Points of bodies, faces, hands. */
export interface KeypointsOutput {
  readonly name: string;
  readonly kind: "keypoints";
  /** `yolov8`: boxes with points; `points`: a list of points; `heatmaps`: a map for each point. */
  readonly format: "yolov8" | "points" | "heatmaps";
  /** Of the objects. */
  readonly labels?: readonly string[];
  /** Names of the points. */
  readonly points: readonly string[];
  readonly threshold: number;
  readonly iou: number;
  readonly agnostic: boolean;
  readonly maxObjects: number;
  /** Of `points`: what each number of a point is. */
  readonly columns: readonly ("x" | "y" | "score" | "other")[];
  readonly units: Units;
}

/** A class for each spot of the picture. */
export interface MapOutput {
  readonly name: string;
  readonly kind: "map";
  readonly activation: Activation;
  readonly labels?: readonly string[];
  /** With a single channel: the value from which a spot belongs to the class. */
  readonly threshold: number;
  /** Whether results carry the mask as a PNG, whose samples are the numbers of the classes. */
  readonly mask: boolean;
}

/** An embedding. */
export interface VectorOutput {
  readonly name: string;
  readonly kind: "vector";
  /** Whether to bring it to length 1. */
  readonly normalize: boolean;
}

/** An output that is read. */
export type ModelOutput =
  | ScoresOutput
  | ObjectsOutput
  | KeypointsOutput
  | MapOutput
  | VectorOutput;

const KINDS = ["window", "frame", "scores", "objects", "keypoints", "map", "vector"] as const;

/** Fields of each kind, besides `name` and `kind`. */
const FIELDS: Readonly<Record<typeof KINDS[number], readonly string[]>> = {
  window: ["activation", "labels", "top"],
  frame: ["activation", "labels", "top"],
  scores: ["activation", "labels", "top"],
  objects: [
    "format",
    "labels",
    "threshold",
    "iou",
    "agnostic",
    "maxObjects",
    "activation",
    "boxes",
    "scores",
    "classes",
    "offsets",
    "columns",
    "units",
    "firstClass",
    "decoded",
  ],
  keypoints: [
    "format",
    "labels",
    "points",
    "threshold",
    "iou",
    "agnostic",
    "maxObjects",
    "columns",
    "units",
  ],
  map: ["activation", "labels", "threshold", "mask"],
  vector: ["normalize"],
};

/** Formats whose boxes come without duplicates. */
const UNIQUE: readonly ObjectFormat[] = ["yolov10", "detr", "centernet", "rows"];
/** A common threshold of overlap, where a format needs one. */
const IOU = 0.45;

const share = { min: 0, max: 1 };

/** Reads one output. */
export function readOutput(faults: Faults, field: string, json: unknown): ModelOutput {
  const given = (json as { kind?: unknown } | null | undefined)?.kind;
  const known = (KINDS as readonly unknown[]).includes(given);
  const kind = known ? given as typeof KINDS[number] : "window";
  const fields = faults.object(field, json, ["name", "kind", ...FIELDS[kind]]);
  if (!known) faults.add(`${field}.kind`, `one of ${KINDS.join(", ")}`, given);
  const name = faults.text(`${field}.name`, fields["name"]);
  const labels = namesOf(faults, `${field}.labels`, fields["labels"]);
  const common = { name, ...(labels === undefined ? {} : { labels }) };
  switch (kind) {
    case "window":
    case "frame":
    case "scores": {
      const { top } = fields;
      const most = { min: 1, max: 1000, whole: true };
      return {
        ...common,
        kind: kind === "scores" ? "window" : kind,
        activation: activationOf(faults, field, fields, "none"),
        ...(top === undefined ? {} : { top: faults.number(`${field}.top`, top, most) }),
      };
    }
    case "objects":
      return { ...common, ...readObjects(faults, field, fields) };
    case "keypoints":
      return { ...common, ...readKeypoints(faults, field, fields) };
    case "map":
      return {
        ...common,
        kind,
        activation: activationOf(faults, field, fields, "none"),
        threshold: faults.number(`${field}.threshold`, fields["threshold"], {
          ...share,
          absent: 0.5,
        }),
        mask: faults.flag(`${field}.mask`, fields["mask"]),
      };
    case "vector":
      return { name, kind, normalize: faults.flag(`${field}.normalize`, fields["normalize"]) };
  }
}

type Fields = Readonly<Record<string, unknown>>;

function namesOf(faults: Faults, field: string, json: unknown): string[] | undefined {
  if (json === undefined) return undefined;
  const names = faults.entries(field, json, (at, item) => faults.text(at, item));
  faults.unique(field, names);
  return names;
}

function activationOf(faults: Faults, field: string, fields: Fields, absent: Activation) {
  return faults.word(`${field}.activation`, fields["activation"], ACTIVATIONS, absent);
}

function readFound(faults: Faults, field: string, fields: Fields, iou: number) {
  return {
    threshold: faults.number(`${field}.threshold`, fields["threshold"], {
      ...share,
      absent: 0.25,
    }),
    iou: faults.number(`${field}.iou`, fields["iou"], { ...share, absent: iou }),
    agnostic: faults.flag(`${field}.agnostic`, fields["agnostic"]),
    maxObjects: faults.number(`${field}.maxObjects`, fields["maxObjects"], {
      min: 1,
      max: 1000,
      whole: true,
      absent: 300,
    }),
  };
}

function readObjects(
  faults: Faults,
  field: string,
  fields: Fields,
): Omit<ObjectsOutput, "name" | "labels"> {
  const format = faults.word(`${field}.format`, fields["format"], OBJECT_FORMATS);
  const columns = fields["columns"] === undefined ? undefined : readColumns(
    faults,
    `${field}.columns`,
    fields["columns"],
    COLUMNS,
  );
  const heads = { ...fields } as { boxes?: unknown; classes?: unknown; scores?: unknown };
  if (format === "centernet" && heads.boxes === undefined) {
    faults.add(`${field}.boxes`, "the name of the output with the sides of the boxes", undefined);
  }
  if (["ssd", "detr"].includes(format) && heads.boxes === undefined) {
    faults.add(`${field}.boxes`, "the name of the output with the boxes", undefined);
  }
  if (format === "rows" && columns === undefined && heads.boxes === undefined) {
    faults.add(`${field}.columns`, `what each column is (${COLUMNS.join(", ")})`, undefined);
  }
  const isDetr = format === "detr" && heads.classes === undefined;
  const units = isDetr || format === "ssd" ? "fractions" : "pixels";
  return {
    kind: "objects",
    format,
    ...readFound(faults, field, fields, UNIQUE.includes(format) ? 1 : IOU),
    activation: activationOf(faults, field, fields, isDetr ? "sigmoid" : "none"),
    ...faults.optionalText("boxes", fields["boxes"]),
    ...faults.optionalText("scores", fields["scores"]),
    ...faults.optionalText("classes", fields["classes"]),
    ...faults.optionalText("offsets", fields["offsets"]),
    ...(columns === undefined ? {} : { columns }),
    units: faults.word(`${field}.units`, fields["units"], UNITS, units),
    firstClass: faults.number(`${field}.firstClass`, fields["firstClass"], {
      min: 0,
      max: 1000,
      whole: true,
      absent: 0,
    }),
    decoded: faults.flag(`${field}.decoded`, fields["decoded"]),
  };
}

function readKeypoints(
  faults: Faults,
  field: string,
  fields: Fields,
): Omit<KeypointsOutput, "name" | "labels"> {
  const formats = ["yolov8", "points", "heatmaps"] as const;
  const format = faults.word(`${field}.format`, fields["format"], formats);
  const columns = fields["columns"] === undefined
    ? ["x", "y", "score"] as const
    : readColumns(faults, `${field}.columns`, fields["columns"], ["x", "y", "score", "other"]);
  return {
    kind: "keypoints",
    format,
    points: namesOf(faults, `${field}.points`, fields["points"] ?? null) ?? [],
    ...readFound(faults, field, fields, IOU),
    columns,
    units: faults.word(
      `${field}.units`,
      fields["units"],
      UNITS,
      format === "points" ? "fractions" : "pixels",
    ),
  };
}

function readColumns<C extends string>(
  faults: Faults,
  field: string,
  json: unknown,
  accepted: readonly C[],
): C[] {
  const columns = faults.entries(field, json, (at, item) => faults.word(at, item, accepted));
  faults.unique(field, columns.filter((column) => column !== "other"));
  return columns;
}
