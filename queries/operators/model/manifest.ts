// The manifest of a model: `model.json` beside its `.onnx`. Reading and checking it.
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { ALERT_FIELDS, type AlertOptions, checkAlertOptions } from "../alert_options.ts";
import { type Fault, FaultsError, Fields, readJson } from "../../../runtime/mod.ts";
import {
  type ModelConstant,
  type ModelInput,
  MOST_NUMBERS,
  readConstants,
  readInputs,
} from "./manifest_input.ts";
import { type ModelOutput, readOutputs } from "./manifest_output.ts";
import { staysBelow } from "./onnx_file.ts";

export type { ModelInput } from "./manifest_input.ts";
export type { ModelOutput } from "./manifest_output.ts";

export const STATE_DTYPES = ["float32", "float16", "int32", "int64", "uint8", "bool"] as const;

/** A tensor passed from one run to the next; zero at first. */
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
  /** Values of inputs that take no picture, by name. */
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
  /** Windows to reread after a restart, which restores the state. */
  readonly warmup: number;
  readonly alert?: AlertOptions;
}

/** A manifest that cannot be used, with all its faults. */
export class ManifestError extends FaultsError {
  constructor(path: string, faults: readonly (string | Fault)[], options?: ErrorOptions) {
    super("model", path, faults, options);
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
  return parseManifest(readJson(path, ManifestError), path);
}

/**
 * Checks a manifest and fills in its defaults.
 *
 * @param json content of the file
 * @param path of the file: the model's own path is relative to it
 * @throws {ManifestError} naming all faults.
 */
export function parseManifest(json: unknown, path: string): ModelManifest {
  const fields = new Fields(json, FIELDS, { what: "model.json" });
  const { faults } = fields;
  const inputs = readInputs(fields);
  const frames = Math.max(1, ...inputs.map((input) => input.frames));
  for (const [i, input] of inputs.entries()) {
    if (frames % input.frames === 0) continue;
    fields.add(`input[${i}].frames`, `a divisor of the longest input's ${frames}`, input.frames);
  }
  const outputs = readOutputs(fields);
  const state = fields.objects("state", ["input", "output", "dtype", "shape"], readState);
  const constants = readConstants(fields);
  fields.unique("input names", [
    ...inputs.map(({ name }) => name),
    ...state.map((s) => s.input),
    ...Object.keys(constants),
  ]);
  fields.unique("output names", [
    ...outputs.map(({ name }) => name),
    ...state.map((s) => s.output),
  ]);
  for (const kinds of [["window", "map"], ["frame"]]) {
    const scored = outputs.filter(({ kind }) => kinds.includes(kind));
    const labels = scored.flatMap((each) => "labels" in each ? [...new Set(each.labels)] : []);
    fields.unique("labels of outputs", labels);
  }
  const file = fields.text("file");
  if (!staysBelow(file)) fields.add("file", "a file in the folder of the manifest, or below it");
  const manifest: ModelManifest = {
    name: fields.text("name"),
    ...fields.texts("version", "licence", "source"),
    file: join(dirname(path), file),
    ...readHash(fields),
    inputs,
    constants,
    frames,
    ...readSampling(fields),
    hop: fields.number("hop", { min: 1, max: 100_000, whole: true, absent: frames }),
    keep: readKeep(fields, frames),
    outputs,
    state,
    warmup: fields.number("warmup", { min: 0, max: 10_000, whole: true, absent: 0 }),
    ...readAlert(fields, outputs),
  };
  if (faults.length > 0) throw new ManifestError(path, faults);
  return manifest;
}

const FIELDS = [
  ...["name", "version", "file", "sha256", "licence", "source", "input", "constants"],
  ...["sampling", "hop", "keep", "outputs", "state", "warmup", "alert"],
];

function readState(fields: Fields): ModelState {
  const { shape } = fields.given;
  const fits = Array.isArray(shape) &&
    shape.every((size) => Number.isInteger(size) && size >= 1) &&
    shape.reduce((all, size) => all * size, 1) <= MOST_NUMBERS;
  if (!fits) {
    fields.add("shape", `a list of whole numbers from 1 up, at most ${MOST_NUMBERS} values in all`);
  }
  return {
    input: fields.text("input"),
    output: fields.text("output"),
    dtype: fields.word("dtype", STATE_DTYPES, "float32"),
    shape: fits ? shape : [],
  };
}

function readSampling(fields: Fields): Pick<ModelManifest, "sampling"> {
  if (fields.given["sampling"] === undefined) return {};
  const own = fields.object("sampling", ["fps", "every"]);
  const { fps, every } = own.given;
  if ((fps === undefined) === (every === undefined)) {
    fields.add("sampling", "either fps or every");
    return {};
  }
  return fps !== undefined
    ? { sampling: { fps: own.number("fps", { min: 0, max: 1000, above: true }) } }
    : { sampling: { every: own.number("every", { min: 1, max: 100_000, whole: true }) } };
}

function readKeep(fields: Fields, frames: number): [number, number] {
  const { keep } = fields.given;
  if (keep === undefined) return [0, frames];
  const [from, to] = Array.isArray(keep) && keep.length === 2 ? keep as number[] : [];
  const areWhole = Number.isInteger(from) && Number.isInteger(to);
  if (areWhole && 0 <= from! && from! < to! && to! <= frames) return [from!, to!];
  fields.add("keep", `[from, to] with 0 ≤ from < to ≤ ${frames}, the frames of a window`);
  return [0, frames];
}

function readHash(fields: Fields): Pick<ModelManifest, "sha256"> {
  const { sha256 } = fields.given;
  if (sha256 === undefined) return {};
  if (typeof sha256 === "string" && /^[0-9a-f]{64}$/i.test(sha256)) {
    return { sha256: sha256.toLowerCase() };
  }
  fields.add("sha256", "64 hexadecimal digits");
  return {};
}

function readAlert(
  fields: Fields,
  outputs: readonly ModelOutput[],
): Pick<ModelManifest, "alert"> {
  if (fields.given["alert"] === undefined) return {};
  const own = fields.object("alert", ALERT_FIELDS);
  checkAlertOptions(own);
  const { label } = own.given;
  if (label && outputs.length > 0 && !mayName(outputs, label)) {
    own.add("label", `a label of an output (${outputs.flatMap(namesOf).join(", ")})`);
  }
  return { alert: own.given as unknown as AlertOptions };
}

/** The names of an output's scores and objects; without labels there may be more, which are numbered. */
export function namesOf(output: ModelOutput): readonly string[] {
  if (output.kind === "vector") return [];
  const { labels, kind, name } = output;
  return labels ?? (kind === "keypoints" ? ["person"] : kind === "objects" ? ["class 0"] : [name]);
}

/** Whether a score or an object of the outputs may have this name. */
export function mayName(outputs: readonly ModelOutput[], label: unknown): boolean {
  return outputs.some((output) => {
    const { kind, name } = output;
    if (namesOf(output).includes(label as string)) return true;
    if (kind === "vector" || kind === "keypoints" || output.labels !== undefined) return false;
    const numbered = kind === "window" || kind === "frame" ? `${name}.0` : "class 0";
    return String(label).replace(/(?<=[. ])\d+$/, "0") === numbered;
  });
}
