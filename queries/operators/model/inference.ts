// A loaded model with its manifest: tensors of frames in, findings out.
import type { Result } from "../../../runtime/mod.ts";
import type { FrameTensor } from "../../../runtime/image/mod.ts";
import type { ModelConstant } from "./manifest_input.ts";
import { type ModelManifest, readManifest } from "./manifest.ts";
import type { OnnxFile, OnnxValue } from "./onnx_file.ts";
import { OutputReaders, type Readings } from "./readers/mod.ts";
import { sizeOf } from "./readers/numbers.ts";
import {
  type ModelSession,
  type ModelTensor,
  openSession,
  type SessionOptions,
  tensorOf,
} from "./session.ts";
import { checkAgainstFile } from "./signature.ts";
import { WindowTensor } from "./window_tensor.ts";

/** A manifest that fits its file. */
export interface CheckedModel {
  readonly manifest: ModelManifest;
  readonly file: OnnxFile;
}

/**
 * Reads a manifest and checks it against its file.
 *
 * @throws {ManifestError} naming all faults of the manifest, or all that does not fit the file.
 */
export function checkModel(path: string | URL): CheckedModel {
  const manifest = readManifest(path);
  return { manifest, file: checkAgainstFile(manifest, String(path)) };
}

/** What to know of a model whose file may be exchanged for another. */
export function remarksOf({ manifest: { name, sha256 }, file }: CheckedModel): readonly string[] {
  if (sha256 !== undefined) return [];
  return [
    `Model ${name} runs whatever its file holds: its manifest names no hash. ` +
    `To refuse another file, add "sha256": "${file.sha256}"`,
  ];
}

/** All labels that its objects may have; undefined if some come without. */
export function labelsOf({ manifest: { outputs } }: CheckedModel): readonly string[] | undefined {
  const found = outputs.filter(({ kind }) => kind === "objects" || kind === "keypoints");
  const labels = found.map((output) => "labels" in output ? output.labels : undefined);
  return labels.length === 0 || labels.includes(undefined)
    ? undefined
    : labels.flatMap((each) => each ?? []);
}

/** What a run of the model says. */
export interface Inferred extends Readings {
  /** Milliseconds in the model alone. */
  readonly ms: number;
  /** What came out. */
  readonly outputs: ReadonlyMap<string, Pick<ModelTensor, "dtype" | "shape">>;
  /** Its state after the run. */
  readonly state: Readonly<Record<string, ModelTensor>>;
}

/** Runs a model on windows of frames. */
export class Inference {
  readonly manifest: ModelManifest;
  readonly #file: OnnxFile;
  readonly #session: ModelSession;
  readonly #inputs: readonly WindowTensor[];
  readonly #readers: OutputReaders;
  readonly #fetches: readonly string[];

  private constructor({ manifest, file }: CheckedModel, session: ModelSession) {
    this.manifest = manifest;
    this.#file = file;
    this.#session = session;
    this.#inputs = manifest.inputs.map((input) => new WindowTensor(input));
    this.#readers = new OutputReaders(manifest);
    this.#fetches = [...this.#readers.fetches, ...manifest.state.map(({ output }) => output)];
  }

  /** Loads the model. */
  static async open(model: CheckedModel, options: SessionOptions): Promise<Inference> {
    return new Inference(model, await openSession(model.manifest.file, options));
  }

  /**
   * Runs the model.
   *
   * @param tensors for each input those of its frames, in order; must stay as they are meanwhile
   * @throws {BadFrameError} `model-output`: what comes out has another shape than the manifest says.
   */
  async run(
    tensors: readonly (readonly FrameTensor[])[],
    state: Readonly<Record<string, ModelTensor>> = {},
  ): Promise<Inferred> {
    const { manifest } = this;
    const feeds: Record<string, ModelTensor> = { ...state };
    for (const [i, input] of manifest.inputs.entries()) {
      feeds[input.name] = this.#inputs[i]!.fill(tensors[i]!);
    }
    // Findings are on the frames of the longest input.
    const longest = manifest.inputs.findIndex(({ frames }) => frames === manifest.frames);
    const input = manifest.inputs[longest]!;
    const placements = tensors[longest]!.map(({ placement }) => placement);
    for (const [name, value] of Object.entries(manifest.constants)) {
      const onnx = this.#file.inputs.find((input) => input.name === name)!;
      feeds[name] = constantOf(onnx, value, input, placements[0]!, manifest.frames);
    }
    const context = { frames: manifest.frames, placements, input };
    const read = (outputs: ReadonlyMap<string, ModelTensor>, ms: number): Inferred => ({
      ...this.#readers.read(outputs, context),
      ms,
      outputs,
      state: Object.fromEntries(
        manifest.state.map(({ input, output }) => [input, outputs.get(output)!]),
      ),
    });
    const states = manifest.state.map(({ output }) => output);
    return await this.#session.run(feeds, this.#fetches, read, states);
  }

  /** What a result says of the model and its run. */
  about(ms: number): Pick<Result, "model" | "inferMs"> {
    const { name } = this.manifest;
    return { model: { name, sha256: this.#file.sha256 }, inferMs: Math.round(ms * 1000) / 1000 };
  }

  async close(): Promise<void> {
    await this.#session.close();
  }
}

type Sizes = { readonly width: number; readonly height: number };

/** The tensor of an input that takes no picture. */
function constantOf(
  { dtype, shape = [] }: OnnxValue,
  value: ModelConstant,
  input: Sizes,
  { sourceWidth, sourceHeight, content }: FrameTensor["placement"],
  frames: number,
): ModelTensor {
  const words: Readonly<Record<string, readonly number[]>> = {
    frameSize: [sourceWidth, sourceHeight],
    inputSize: [input.width, input.height],
    frameShape: [sourceHeight, sourceWidth],
    inputShape: [input.height, input.width],
    scale: [content.height / sourceHeight, content.width / sourceWidth],
  };
  const own = typeof value === "string" ? words[value]! : [value].flat() as number[];
  // Free dimensions: the first one is the batch, others follow from how many numbers there are.
  const fixed = shape.map((size, i) => typeof size === "number" ? size : i === 0 ? frames : 1);
  let dims = shape.length === 0 && own.length > 1 ? [own.length] : fixed;
  if (sizeOf(dims) % own.length !== 0) dims = [...dims.slice(0, -1), own.length];
  const numbers = Array.from({ length: sizeOf(dims) }, (_, i) => own[i % own.length]!);
  return tensorOf(dtype, dims, numbers);
}
