// A first manifest for an `.onnx` file, guessed from its shapes.
import { INPUT_DTYPES, type Layout, type ModelConstant, usualScale } from "./manifest_input.ts";
import type { Dimension, OnnxFile, OnnxValue } from "./onnx_file.ts";
import { type Head, labelsIn, recognizeHead, sizeIn } from "./heads.ts";
import { MOST_SCORES } from "./readers/scores.ts";
import { isReadable, shapeText } from "./signature.ts";

/** A drafted manifest, and what its user must check. */
export interface Draft {
  readonly manifest: Readonly<Record<string, unknown>>;
  readonly notes: readonly string[];
}

/** Values of inputs that take no picture, by the names that exporters give them. */
const CONSTANTS: readonly (readonly [RegExp, ModelConstant])[] = [
  [/im_shape|image_shape/i, "inputShape"],
  [/scale_factor/i, "scale"],
  [/target_size|orig/i, "frameSize"],
  [/iou|nms/i, 0.45],
  [/score|conf|thresh/i, 0.25],
  [/max.{0,40}(det|box|output)/i, 300],
];

/** Sizes that stand in for free dimensions. */
const FRAMES = 16;
const SIDE = 224;
/** No head has more, whatever its shape says. */
const MOST_CLASSES = 100_000;
/** Fewer values than this get labels to fill in. */
const MAX_LABELS = 20;

/**
 * Guesses a manifest: the inputs that can take pictures, state tensors by the names and shapes that
 * inputs and outputs share, and whether each other output describes frames or windows.
 *
 * @param name of the model
 * @param fileName of the `.onnx` file, as seen from the manifest
 * @throws {Error} when no input can take pictures.
 */
export function draftManifest(file: OnnxFile, name: string, fileName: string): Draft {
  const notes: string[] = [];
  const guessed = picturesOf(file, notes);
  if (guessed.length === 0) {
    throw new Error(
      "Cannot write a manifest for a model that takes no pictures: expected an input of 4 or 5 " +
        `dimensions with 1 or 3 colours, of type ${INPUT_DTYPES.join(", ")}, given ${
          listed(file.inputs)
        }`,
    );
  }
  const readable = file.outputs.filter(isReadable);
  if (readable.length === 0) {
    throw new Error(
      "Cannot write a manifest for a model without numbers: expected an output that is a tensor of " +
        `numbers, given ${listed(file.outputs)}`,
    );
  }
  if (readable.length < file.outputs.length) {
    const others = file.outputs.filter((output) => !isReadable(output));
    notes.push(`outputs skipped, since they are not tensors of numbers: ${listed(others)}`);
  }
  const isPicture = (input: OnnxValue) => guessed.some((p) => p["name"] === input.name);
  const state = stateOf(file, isPicture);
  const outputs = readable.filter(({ name }) => !state.some((s) => s["output"] === name));
  const [{ width = SIDE, height = SIDE } = {}] = guessed as { width?: number; height?: number }[];
  const head = recognizeHead(file, outputs, { width, height });
  const constants: Record<string, unknown> = {};
  for (const { name, dtype, shape } of file.inputs.filter((input) => !isPicture(input))) {
    if (state.some((entry) => entry["input"] === name)) continue;
    const constant = CONSTANTS.find(([pattern]) => pattern.test(name))?.[1];
    if (constant !== undefined) {
      constants[name] = constant;
      continue;
    }
    notes.push(
      `input ${name} (${dtype} ${shapeText(shape)}) takes no pictures and matches no output: ` +
        "set its value in constants",
    );
  }
  notes.push("color, resize, scale, mean and std: the file does not say what it was trained with");
  if (head !== undefined) notes.push(`outputs: they look like ${head.description}`);
  if (head?.asks !== undefined) notes.push(head.asks);
  const pictures = guessed.map((input) => ({ ...input, ...head?.input }));
  const frames = Math.max(1, ...pictures.map((input) => Number(input["frames"] ?? 1)));
  const readers = head === undefined
    ? outputs.map((output) => guessOutput(output, frames, outputs.length === 1, notes))
    : [{ ...head.output, ...labelsOf(head, file) }];
  if (head === undefined) notes.push("outputs: activation, and labels in the order of the values");
  else if (labelsIn(file) === undefined) {
    notes.push("outputs: labels in the order of the classes, which the file does not name");
  }
  return {
    manifest: {
      name,
      version: "1",
      file: fileName,
      sha256: file.sha256,
      input: pictures.length === 1 ? pictures[0] : pictures,
      ...(Object.keys(constants).length > 0 ? { constants } : {}),
      ...(frames > 1 ? { hop: head === undefined ? Math.ceil(frames / 2) : frames } : {}),
      outputs: readers,
      ...(state.length > 0 ? { state } : {}),
    },
    notes,
  };
}

function listed(values: readonly OnnxValue[]): string {
  const each = values.map(({ name, dtype, shape }) => `${name} (${dtype} ${shapeText(shape)})`);
  return each.join(", ") || "none";
}

function stateOf(
  { inputs, outputs }: OnnxFile,
  isPicture: (input: OnnxValue) => boolean,
): Record<string, unknown>[] {
  return inputs.flatMap((input) => {
    const output = isPicture(input) ? undefined : partnerOf(input, outputs);
    if (output === undefined) return [];
    const shape = (input.shape ?? []).map((size) => typeof size === "number" ? size : 1);
    return [{ input: input.name, output: output.name, dtype: input.dtype, shape }];
  });
}

/** The labels that the file names, or as many as the head has. */
function labelsOf({ classes }: Head, file: OnnxFile): { labels?: readonly string[] } {
  const named = labelsIn(file);
  if (named !== undefined) return { labels: named };
  if (classes === undefined || classes < 1 || classes > MOST_CLASSES) return {};
  return { labels: Array.from({ length: classes }, (_, i) => `class ${i}`) };
}

function guessInput(
  { name, dtype, shape }: OnnxValue,
  file: OnnxFile,
  notes: string[],
): Record<string, unknown> | undefined {
  if (shape === undefined || !INPUT_DTYPES.some((one) => one === dtype)) return undefined;
  const layout = guessLayout(shape);
  if (layout === undefined) return undefined;
  const size = (letter: string, free: number) => {
    const dimension = shape[layout.indexOf(letter)];
    if (typeof dimension === "number" && dimension > 0) return dimension;
    const noted = sizeIn(file)?.[letter === "W" ? "width" : "height"];
    if (noted !== undefined && letter !== "T") return noted;
    notes.push(`${name}: ${letter} is free in the file, ${free} is a guess`);
    return free;
  };
  const channels = shape[layout.indexOf("C")];
  const { scale, mean } = usualScale(dtype);
  return {
    name,
    dtype,
    layout,
    ...(layout.includes("T")
      ? { frames: size("T", FRAMES) }
      : typeof shape[0] === "number" && shape[0] > 1
      ? { frames: shape[0] }
      : {}),
    height: size("H", SIDE),
    width: size("W", SIDE),
    color: channels === 1 ? "GRAY" : "RGB",
    resize: "fill",
    scale,
    mean: new Array(channels === 1 ? 1 : 3).fill(mean),
    std: new Array(channels === 1 ? 1 : 3).fill(1),
  };
}

function guessLayout(shape: readonly Dimension[]): Layout | undefined {
  const isColor = (at: number) => shape[at] === 3 || shape[at] === 1;
  if (shape.length === 4) return isColor(3) ? "NHWC" : isColor(1) ? "NCHW" : undefined;
  if (shape.length !== 5) return undefined;
  if (isColor(4)) return "NTHWC";
  if (shape[1] === 3) return "NCTHW";
  if (shape[2] === 3) return "NTCHW";
  return isColor(1) ? "NCTHW" : isColor(2) ? "NTCHW" : undefined;
}

/**
 * The inputs that can take pictures. One with an output of the same name is a state, unless no other input can
 * take pictures.
 */
function picturesOf(file: OnnxFile, notes: string[]): Record<string, unknown>[] {
  const { inputs, outputs } = file;
  const fresh = inputs.filter((input) => namesakesOf(input, outputs).length === 0);
  for (const candidates of [fresh, inputs]) {
    const found = candidates.map((input) => guessInput(input, file, notes))
      .filter((guess) => guess !== undefined);
    if (found.length > 0) return found;
  }
  return [];
}

/** The output that a state input comes from: of the same type and shape, and nearly the same name. */
function partnerOf(input: OnnxValue, outputs: readonly OnnxValue[]): OnnxValue | undefined {
  const alike = alikeTo(input, outputs);
  const namesakes = namesakesOf(input, outputs);
  return namesakes.find(({ name }) => name !== bare(name)) ?? namesakes[0] ??
    (alike.length === 1 ? alike[0] : undefined);
}

function alikeTo({ dtype, shape }: OnnxValue, outputs: readonly OnnxValue[]): OnnxValue[] {
  return outputs.filter((output) =>
    output.dtype === dtype && shapeText(output.shape) === shapeText(shape)
  );
}

function namesakesOf(input: OnnxValue, outputs: readonly OnnxValue[]): OnnxValue[] {
  return alikeTo(input, outputs).filter(({ name }) => bare(name) === bare(input.name));
}

/** A name without the parts that mark an input or output, such as _in and _out. */
function bare(name: string): string {
  return name.replace(/(^|[_./])(in|out|input|output|next|new)(?=$|[_./])/g, "");
}

function guessOutput(
  { name, shape }: OnnxValue,
  frames: number,
  isAlone: boolean,
  notes: string[],
): Record<string, unknown> {
  // Frames are in the second dimension, or in the first if that is not a batch of windows.
  const sizes = (shape ?? []).slice(shape?.[0] === frames ? 0 : 1);
  const perFrame = frames > 1 && sizes[0] === frames;
  const values = (perFrame ? sizes.slice(1) : sizes)
    .reduce<number>((product, size) => product * (typeof size === "number" ? size : NaN), 1);
  const isRow = sizes.filter((size) => size !== 1).length === 1;
  if (values > MOST_SCORES && isRow) return { name, kind: "vector" };
  if (values > MOST_SCORES) {
    notes.push(
      `output ${name} ${shapeText(shape)}: ${values} values are too many for scores; say how to ` +
        "read it (kind objects, keypoints, map or vector), or remove it",
    );
  }
  // Scores of outputs without labels get the names of the outputs.
  const labels = isAlone && values > 1 && values <= MAX_LABELS
    ? { labels: Array.from({ length: values }, (_, i) => `class ${i}`) }
    : {};
  return { name, kind: perFrame ? "frame" : "window", activation: "none", ...labels };
}
