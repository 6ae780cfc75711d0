// Compares a manifest with its file.
import { ManifestError, type ModelManifest } from "./manifest.ts";
import type { Layout, ModelConstant, ModelInput } from "./manifest_input.ts";
import type { ObjectFormat, ObjectsOutput, ScoresOutput } from "./manifest_output.ts";
import { type Dimension, type OnnxFile, type OnnxValue, readOnnx } from "./onnx_file.ts";
import { OutputReaders } from "./readers/mod.ts";
import { FEW_SCORES, MOST_SCORES } from "./readers/scores.ts";

/**
 * Checks a manifest against its `.onnx` file: hash, names, types, shapes.
 *
 * @param path of the manifest, for messages
 * @returns the inputs and outputs of the file.
 * @throws {ManifestError} naming all mismatches, with both sides.
 */
export function checkAgainstFile(manifest: ModelManifest, path: string): OnnxFile {
  let file: OnnxFile;
  try {
    file = readOnnx(manifest.file);
  } catch (error) {
    throw new ManifestError(path, [`file: ${(error as Error).message}`], { cause: error });
  }
  const faults = signatureFaults(manifest, file);
  if (faults.length > 0) throw new ManifestError(path, faults);
  return file;
}

export function signatureFaults(manifest: ModelManifest, file: OnnxFile): string[] {
  const faults: string[] = [];
  if (manifest.sha256 !== undefined && manifest.sha256 !== file.sha256) {
    faults.push(`sha256: the manifest says ${manifest.sha256}, the file has ${file.sha256}`);
  }
  const look = (values: readonly OnnxValue[], kind: string, field: string, name: string) => {
    const found = values.find((value) => value.name === name);
    if (found === undefined) {
      const names = values.map((value) => value.name).join(", ");
      faults.push(`${field}: the manifest says ${name}, the file's ${kind}s are ${names}`);
    }
    return found;
  };
  const compare = (field: string, stated: string, found: string, fits: boolean) => {
    if (!fits) faults.push(`${field}: the manifest says ${stated}, the file has ${found}`);
  };
  const match = (
    field: string,
    shape: string,
    dtype: string,
    dims: readonly number[],
    found: OnnxValue | undefined,
  ) => {
    if (found === undefined) return;
    compare(`${field}.dtype`, dtype, found.dtype, dtype === found.dtype);
    const same = fits(dims, found.shape);
    compare(`${field}.${shape}`, shapeText(dims), shapeText(found.shape), same);
  };
  const several = manifest.inputs.length > 1;
  for (const [i, input] of manifest.inputs.entries()) {
    const field = several ? `input[${i}]` : "input";
    const found = look(file.inputs, "input", `${field}.name`, input.name);
    match(field, `layout ${input.layout}`, input.dtype, dimsOf(input), found);
  }
  for (const [i, state] of manifest.state.entries()) {
    for (const [side, values] of [["input", file.inputs], ["output", file.outputs]] as const) {
      const found = look(values, side, `state[${i}].${side}`, state[side]);
      match(`state[${i}]`, "shape", state.dtype, state.shape, found);
    }
  }
  for (const name of Object.keys(manifest.constants)) {
    const found = look(file.inputs, "input", `constants.${name}`, name);
    if (found === undefined) continue;
    const stated = JSON.stringify(manifest.constants[name]);
    const held = `${found.dtype} ${shapeText(found.shape)}`;
    const fits = isConstantOf(manifest.constants[name]!, found, manifest.frames);
    compare(`constants.${name}`, stated, held, fits);
  }
  const fed = [
    ...manifest.inputs.map(({ name }) => name),
    ...manifest.state.map((s) => s.input),
    ...Object.keys(manifest.constants),
  ];
  for (const { name, dtype, shape } of file.inputs) {
    if (fed.includes(name)) continue;
    faults.push(
      `input: the file needs ${name} (${dtype} ${shapeText(shape)}), ` +
        "the manifest has it neither as an input nor as state nor among constants",
    );
  }
  for (const [i, output] of manifest.outputs.entries()) {
    for (const name of new OutputReaders({ outputs: [output], constants: {} }).fetches) {
      const field = `outputs[${i}].${name === output.name ? "name" : fieldOf(output, name)}`;
      const found = look(file.outputs, "output", field, name);
      if (found === undefined) continue;
      compare(`outputs[${i}]`, "numbers", found.dtype, isReadable(found));
      if (output.kind === "window" || output.kind === "frame") {
        checkScores(output, manifest.frames, i, found, faults);
      } else if (output.kind === "objects" && file.outputs.length === 1) {
        checkClasses(output, i, found, faults);
      }
    }
  }
  return faults;
}

/** Whether an input can hold a constant: whole numbers where it takes no others, and as many as fit. */
function isConstantOf(value: ModelConstant, input: OnnxValue, frames: number): boolean {
  const { dtype, shape = [""] } = input;
  // Sizes are pairs; a scale has fractions.
  const numbers = typeof value === "string" ? Array(2).fill(+(value !== "scale")) : [value].flat();
  const sizes = shape.map((size) => Number(size) > 0 ? Number(size) : 0);
  // A free first dimension is the batch.
  const fixed = sizes.reduce((all, size, i) => all * (size || (i === 0 ? frames : 1)), 1);
  return isReadable(input) && (sizes.at(-1) === 0 || fixed % numbers.length === 0) &&
    (dtype.startsWith("float") || numbers.every(Number.isInteger));
}

/** True for a tensor of numbers, which readers can read. */
export function isReadable({ dtype }: OnnxValue): boolean {
  return /^(float|u?int)\d+$|^bool$/.test(dtype);
}

function fieldOf(output: object, name: string): string {
  return Object.entries(output).find(([field, value]) => field !== "name" && value === name)?.[0] ??
    "name";
}

function checkScores(
  { kind, labels, top }: ScoresOutput,
  frames: number,
  index: number,
  { shape }: OnnxValue,
  faults: string[],
): void {
  if (shape === undefined) return;
  // A free first dimension is the batch, of which there is one.
  const sizes = shape.map((size, i) => typeof size === "number" ? size : i === 0 ? 1 : NaN);
  const values = sizes.reduce((product, size) => product * size, 1);
  if (Number.isNaN(values) || values === 0) return; // no rows are an answer
  const sets = kind === "frame" ? (shape[0] === frames || sizes[1] === frames ? frames : NaN) : 1;
  if (Number.isNaN(sets)) {
    faults.push(
      `outputs[${index}].kind: the manifest says frame, with ${frames} frames, ` +
        `the file has ${shapeText(shape)}`,
    );
  } else if (labels !== undefined && values / sets !== labels.length) {
    faults.push(
      `outputs[${index}].labels: the manifest says ${labels.length} labels, ` +
        `the file has ${values / sets} values (${shapeText(shape)})`,
    );
  } else if (sets * Math.min(values / sets, top ?? values) > MOST_SCORES) {
    faults.push(
      `outputs[${index}]: the file has ${values} values (${
        shapeText(shape)
      }), expected ${FEW_SCORES}`,
    );
  }
}

/** Numbers of a row before those of the classes. */
const BEFORE_CLASSES: Readonly<Partial<Record<ObjectFormat, number>>> = {
  yolov5: 5,
  yolov8: 4,
  yolox: 5,
};

/** A larger size counts rows, not columns. */
const MOST_COLUMNS = 1000;

/** A row has a score for each label, followed by masks, which another output describes. */
function checkClasses(
  { format, labels }: ObjectsOutput,
  index: number,
  { shape }: OnnxValue,
  faults: string[],
): void {
  const before = BEFORE_CLASSES[format], sizes = shape?.slice(-2) ?? [];
  if (before === undefined || labels === undefined || sizes.length < 2) return;
  // The smaller size is that of a row; if one is free, the other one is, unless it is large.
  const known = sizes.filter((size) => typeof size === "number" && size > 0) as number[];
  const columns = Math.min(...known);
  if (sizes.includes(before + labels.length)) return;
  if (known.length === 0 || (known.length === 1 && columns > MOST_COLUMNS)) return;
  faults.push(
    `outputs[${index}].labels: the manifest says ${labels.length} labels, the file has ` +
      `${columns - before} classes (${shapeText(shape)})`,
  );
}

/** The dimensions of an input for one window. */
export function dimsOf(
  { layout, frames, height, width, color }: Pick<
    ModelInput,
    "layout" | "frames" | "height" | "width" | "color"
  >,
): number[] {
  const sizes: Record<string, number> = {
    N: layout.includes("T") ? 1 : frames,
    T: frames,
    H: height,
    W: width,
    C: color === "GRAY" ? 1 : 3,
  };
  return Array.from(layout satisfies Layout, (letter) => sizes[letter]!);
}

function fits(dims: readonly number[], shape: readonly Dimension[] | undefined): boolean {
  if (shape === undefined) return true;
  return dims.length === shape.length &&
    shape.every((size, i) => typeof size === "string" || size === dims[i]);
}

/** A shape as text: `[1, T, 224]`. */
export function shapeText(shape: readonly Dimension[] | undefined): string {
  if (shape === undefined) return "any shape";
  // Some exporters name a dimension by the formula of its size.
  const named = (size: Dimension) => `${size}`.length > 30 ? `${`${size}`.slice(0, 29)}…` : size;
  return `[${shape.map((size) => size === "" ? "?" : named(size)).join(", ")}]`;
}
