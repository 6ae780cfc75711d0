// The inputs of a model, as its manifest describes them.
import type { Fields } from "../../../runtime/mod.ts";

/** Order of an input's dimensions: N batch, T time, H height, W width, C colours. */
export const LAYOUTS = ["NTHWC", "NTCHW", "NCTHW", "NHWC", "NCHW"] as const;
export type Layout = typeof LAYOUTS[number];

/** Most numbers of an input or a state: a gigabyte of float32. */
export const MOST_NUMBERS = 2 ** 28;

/** Sample types of inputs. */
export const INPUT_DTYPES = ["float32", "uint8", "float16", "float64", "int8"] as const;

/** An input that takes frames. */
export interface ModelInput {
  readonly name: string;
  readonly dtype: typeof INPUT_DTYPES[number];
  readonly layout: Layout;
  /** Number of frames; with `NHWC` and `NCHW` they are the batch. */
  readonly frames: number;
  /** Pixels. */
  readonly height: number;
  readonly width: number;
  readonly color: "RGB" | "BGR" | "GRAY";
  readonly resize: "fill" | "letterbox" | "crop";
  /** Position of a letterboxed frame: centred, or at the left and the top. */
  readonly align: "center" | "start";
  /** The sample, 0 to 255, that fills the bars of a letterbox. */
  readonly pad: number;
  /** A sample of 0 to 255 becomes `(sample * scale - mean) / std`; see {@linkcode usualScale}. */
  readonly scale: number;
  readonly mean: readonly number[];
  readonly std: readonly number[];
}

/** Names of sizes of the frame or the input. */
export const CONSTANT_WORDS = [
  "frameSize",
  "inputSize",
  "frameShape",
  "inputShape",
  "scale",
] as const;

/**
 * Value of an input that takes no picture: `frameSize` and `inputSize` are width and height,
 * `frameShape` and `inputShape` height and width, `scale` input pixels for one of the frame, down and
 * across.
 */
export type ModelConstant = typeof CONSTANT_WORDS[number] | number | readonly number[];

const FIELDS = [
  ...["name", "dtype", "layout", "frames", "height", "width", "color"],
  ...["resize", "align", "pad", "scale", "mean", "std"],
];

export function readInputs(fields: Fields): ModelInput[] {
  return Array.isArray(fields.given["input"])
    ? fields.list("input", (place, item) => readInput(fields.object(place, FIELDS, item)))
    : [readInput(fields.object("input", FIELDS))];
}

/** The scale and mean of a manifest that gives no scale: 0 to 1 for floats, −128 to 127 for int8. */
export function usualScale(dtype: string): { readonly scale: number; readonly mean: number } {
  return { scale: dtype.startsWith("float") ? 1 / 255 : 1, mean: dtype === "int8" ? 128 : 0 };
}

function readInput(fields: Fields): ModelInput {
  const dtype = fields.word("dtype", INPUT_DTYPES, "float32");
  const layout = fields.word("layout", LAYOUTS);
  const usual = usualScale(dtype);
  const color = fields.word("color", ["RGB", "BGR", "GRAY"], "RGB");
  const channels = color === "GRAY" ? 1 : 3;
  const side = { min: 1, max: 8192, whole: true };
  const many = { min: 1, max: 4096, whole: true };
  const given = fields.given["layout"];
  const isWindow = typeof given === "string" && given.includes("T");
  const frames = fields.number("frames", isWindow ? many : { ...many, absent: 1 });
  const [height, width] = [fields.number("height", side), fields.number("width", side)];
  const numbers = frames * height * width * channels;
  if (numbers > MOST_NUMBERS) {
    fields.add("frames", `at most ${MOST_NUMBERS} samples in all`, numbers);
  }
  const resize = fields.word("resize", ["fill", "letterbox", "crop"], "fill");
  for (const name of resize === "letterbox" ? [] : ["align", "pad"]) {
    if (fields.given[name] !== undefined) fields.fault(name, `unknown unless resize is letterbox`);
  }
  return {
    name: fields.text("name"),
    dtype,
    layout,
    frames,
    height,
    width,
    color,
    resize,
    align: fields.word("align", ["center", "start"], "center"),
    pad: fields.number("pad", { min: 0, max: 255, whole: true, absent: 0 }),
    scale: fields.number("scale", { min: 0, max: 1e6, above: true, absent: usual.scale }),
    mean: readColors(
      fields,
      "mean",
      channels,
      fields.given["scale"] === undefined ? usual.mean : 0,
      false,
    ),
    std: readColors(fields, "std", channels, 1, true),
  };
}

function readColors(
  fields: Fields,
  name: string,
  channels: number,
  absent: number,
  aboveZero: boolean,
): number[] {
  const json = fields.given[name];
  if (json === undefined) return new Array(channels).fill(absent);
  const fits = Array.isArray(json) && json.length === channels &&
    json.every((value) => Number.isFinite(value) && (!aboveZero || value > 0));
  if (fits) return json;
  const kind = aboveZero ? "numbers above 0" : "numbers";
  fields.add(name, `a list of ${channels} ${kind}, one for each colour`);
  return new Array(channels).fill(absent);
}

export function readConstants(fields: Fields): Record<string, ModelConstant> {
  const json = fields.given["constants"];
  if (json === undefined) return {};
  if (json === null || typeof json !== "object" || Array.isArray(json)) {
    fields.add("constants", "an object with a value for each input");
    return {};
  }
  for (const [name, value] of Object.entries(json)) {
    const fits = Number.isFinite(value) || (CONSTANT_WORDS as readonly unknown[]).includes(value) ||
      (Array.isArray(value) && value.length > 0 && value.every(Number.isFinite));
    if (fits) continue;
    const accepted = `${CONSTANT_WORDS.join(", ")}, a number or a list of numbers`;
    fields.add(`constants.${name}`, accepted, value);
  }
  return json as Record<string, ModelConstant>;
}
