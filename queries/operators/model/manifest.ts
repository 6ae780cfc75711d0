/**
 * The manifest of a model: `model.json` beside its `.onnx`. Reading and checking it.
 *
 * @module
 */
import { dirname, isAbsolute, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";
import { type AlertOptions, checkAlertOptions } from "../alert_options.ts";
import { Faults } from "./faults.ts";
import { type ModelConstant, type ModelInput, readConstants, readInput } from "./manifest_input.ts";
import { type ModelOutput, readOutput } from "./manifest_output.ts";

export type { ModelInput } from "./manifest_input.ts";
export type { ModelOutput } from "./manifest_output.ts";

/** Whether a path from a manifest to its model stays in the manifest's folder or below it: it must. */
export function staysBelow(path: string): boolean {
  return !isAbsolute(path) && !/^\.\.(?:[\\/]|$)/.test(normalize(path));
}

/** Types of state tensors. */
export const STATE_DTYPES = ["float32", "float16", "int32", "int64", "uint8", "bool"] as const;

/** A tensor that goes from one run into the next, zero at first. */
export interface ModelState {
  readonly input: string;
  readonly output: string;
  readonly dtype: typeof STATE_DTYPES[number];
  readonly shape: readonly number[];
}

/** A manifest with its defaults filled in. */
export interface ModelManifest {
  readonly name: string;
  readonly version?: string;
  /** Path of the `.onnx` file. */
  readonly file: string;
  /** Lower-case hexadecimal. */
  readonly sha256?: string;
  readonly licence?: string;
  readonly source?: string;
  /** One or several, all fed from the same window. */
  readonly inputs: readonly ModelInput[];
  /** What the inputs get that take no picture, by name. */
  readonly constants: Readonly<Record<string, ModelConstant>>;
  /** Frames in a window: as many as the longest input takes. */
  readonly frames: number;
  /** Absent: every frame counts. */
  readonly sampling?: { readonly fps: number } | { readonly every: number };
  readonly hop: number;
  /** Frames [from, to) of a window for which its per-frame outputs are valid. */
  readonly keep: readonly [number, number];
  readonly outputs: readonly ModelOutput[];
  readonly state: readonly ModelState[];
  /** Windows read again after a restart, so that its state is what it was. */
  readonly warmup: number;
  readonly alert?: AlertOptions;
}

/** A manifest that cannot be used, with all its faults. */
export class ManifestError extends Error {
  override readonly name = "ManifestError";
  /** Each names the field, what is accepted and what was given. */
  readonly faults: readonly string[];

  constructor(path: string, faults: readonly string[], options?: ErrorOptions) {
    super(`Cannot use model ${path}:\n${faults.map((fault) => `  ${fault}`).join("\n")}`, options);
    this.faults = faults;
  }
}

/**
 * Reads and checks a manifest.
 *
 * @param manifest path or `file:` URL of a `model.json`
 * @throws {ManifestError} naming all faults.
 */
export function readManifest(manifest: string | URL): ModelManifest {
  const path = manifest instanceof URL || manifest.startsWith("file:")
    ? fileURLToPath(manifest)
    : manifest;
  let text: string;
  try {
    text = Deno.readTextFileSync(path);
  } catch (error) {
    throw new ManifestError(path, [(error as Error).message], { cause: error });
  }
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw new ManifestError(path, [`expected JSON: ${(error as Error).message}`], { cause: error });
  }
  return parseManifest(json, path);
}

/**
 * Checks a manifest and fills in its defaults.
 *
 * @param json what the file holds
 * @param path of the file: the model's own path is relative to it
 * @throws {ManifestError} naming all faults.
 */
export function parseManifest(json: unknown, path: string): ModelManifest {
  const faults = new Faults();
  const fields = faults.object("model.json", json, [
    "name",
    "version",
    "file",
    "sha256",
    "licence",
    "source",
    "input",
    "constants",
    "sampling",
    "hop",
    "keep",
    "outputs",
    "state",
    "warmup",
    "alert",
  ]);
  const inputs = Array.isArray(fields["input"])
    ? faults.entries("input", fields["input"], (field, item) => readInput(faults, field, item))
    : [readInput(faults, "input", fields["input"])];
  const frames = Math.max(1, ...inputs.map((input) => input.frames));
  for (const [i, input] of inputs.entries()) {
    if (frames % input.frames !== 0) {
      const field = `input[${i}].frames`;
      faults.add(field, `a divisor of the longest input's ${frames}`, input.frames);
    }
  }
  const outputs = faults.entries(
    "outputs",
    fields["outputs"],
    (field, item) => readOutput(faults, field, item),
  );
  const state = fields["state"] === undefined
    ? []
    : faults.entries("state", fields["state"], (field, item) => readState(faults, field, item));
  const constants = readConstants(faults, fields["constants"]);
  faults.unique("input names", [
    ...inputs.map(({ name }) => name),
    ...state.map((s) => s.input),
    ...Object.keys(constants),
  ]);
  faults.unique("output names", [
    ...outputs.map(({ name }) => name),
    ...state.map((s) => s.output),
  ]);
  const alert = fields["alert"] === undefined
    ? undefined
    : readAlert(faults, fields["alert"], outputs);
  const file = faults.text("file", fields["file"]);
  if (!staysBelow(file)) {
    faults.add("file", "a file in the folder of the manifest, or below it", file);
  }
  const sha256 = readHash(faults, fields["sha256"]);
  const sampling = readSampling(faults, fields["sampling"]);
  const manifest: ModelManifest = {
    name: faults.text("name", fields["name"]),
    ...faults.optionalText("version", fields["version"]),
    file: join(dirname(path), file),
    ...(sha256 === undefined ? {} : { sha256 }),
    ...faults.optionalText("licence", fields["licence"]),
    ...faults.optionalText("source", fields["source"]),
    inputs,
    constants,
    frames,
    ...(sampling === undefined ? {} : { sampling }),
    hop: faults.number("hop", fields["hop"], { min: 1, max: 100_000, whole: true, absent: frames }),
    keep: readKeep(faults, fields["keep"], frames),
    outputs,
    state,
    warmup: faults.number("warmup", fields["warmup"], {
      min: 0,
      max: 10_000,
      whole: true,
      absent: 0,
    }),
    ...(alert === undefined ? {} : { alert }),
  };
  if (faults.list.length > 0) throw new ManifestError(path, faults.list);
  return manifest;
}

function readState(faults: Faults, field: string, json: unknown): ModelState {
  const fields = faults.object(field, json, ["input", "output", "dtype", "shape"]);
  const shape = fields["shape"];
  const fits = Array.isArray(shape) &&
    shape.every((size) => Number.isInteger(size) && size >= 1);
  if (!fits) faults.add(`${field}.shape`, "a list of whole numbers from 1 up", shape);
  return {
    input: faults.text(`${field}.input`, fields["input"]),
    output: faults.text(`${field}.output`, fields["output"]),
    dtype: faults.word(`${field}.dtype`, fields["dtype"], STATE_DTYPES, "float32"),
    shape: fits ? shape : [],
  };
}

function readSampling(faults: Faults, json: unknown): ModelManifest["sampling"] {
  if (json === undefined) return undefined;
  const { fps, every } = faults.object("sampling", json, ["fps", "every"]);
  if ((fps === undefined) === (every === undefined)) {
    faults.add("sampling", "either fps or every", json);
    return undefined;
  }
  return fps !== undefined
    ? { fps: faults.number("sampling.fps", fps, { min: 0, max: 1000, above: true }) }
    : {
      every: faults.number("sampling.every", every, { min: 1, max: 100_000, whole: true }),
    };
}

function readKeep(faults: Faults, json: unknown, frames: number): [number, number] {
  if (json === undefined) return [0, frames];
  const [from, to] = Array.isArray(json) && json.length === 2 ? json as number[] : [];
  if (
    Number.isInteger(from) && Number.isInteger(to) && 0 <= from! && from! < to! && to! <= frames
  ) {
    return [from!, to!];
  }
  faults.add("keep", `[from, to] with 0 ≤ from < to ≤ ${frames}, the frames of a window`, json);
  return [0, frames];
}

function readHash(faults: Faults, json: unknown): string | undefined {
  if (json === undefined) return undefined;
  if (typeof json === "string" && /^[0-9a-f]{64}$/i.test(json)) return json.toLowerCase();
  faults.add("sha256", "64 hexadecimal digits", json);
  return undefined;
}

function readAlert(
  faults: Faults,
  json: unknown,
  outputs: readonly ModelOutput[],
): AlertOptions {
  const fields = faults.object("alert", json, [
    "label",
    "enter",
    "exit",
    "of",
    "smoothing",
    "cooldownMs",
    "silenceMs",
  ]);
  const label = faults.text("alert.label", fields["label"]);
  const isScored = outputs.every(({ kind }) => kind === "window" || kind === "frame");
  const names = outputs.flatMap((output) => "labels" in output ? output.labels! : [output.name]);
  if (label !== "" && isScored && names.length > 0 && !names.includes(label)) {
    faults.add("alert.label", `a label of an output (${names.join(", ")})`, label);
  }
  for (const fault of checkAlertOptions(fields as unknown as AlertOptions)) {
    if (!fault.startsWith("label")) faults.say(`alert.${fault}`);
  }
  return { ...fields, label } as unknown as AlertOptions;
}
