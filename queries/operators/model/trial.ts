// Runs a model once, on grey frames.
import { Tensorizer } from "../../../runtime/mod.ts";
import { type FrameTensor } from "../../../runtime/image/mod.ts";
import { type CheckedModel, checkModel, Inference, type Inferred, remarksOf } from "./inference.ts";
import { ManifestError } from "./manifest.ts";
import { frameSpec } from "./window_tensor.ts";
import { zeroState } from "./session.ts";
import { signatureFaults } from "./signature.ts";

export interface Trial extends CheckedModel {
  readonly outputs: readonly {
    readonly name: string;
    readonly dtype: string;
    readonly shape: readonly number[];
  }[];
  /** The decoded result, as text. */
  readonly result: string;
  readonly remarks: readonly string[];
  /** Milliseconds in the model. */
  readonly ms: number;
}

/** A frame of an ordinary size. */
const WIDTH = 640, HEIGHT = 480, GREY = 114;

/**
 * Checks a manifest against its file, runs the model on grey frames, and decodes its outputs.
 *
 * @throws {ManifestError} naming all faults, or why the model does not run, or what cannot be decoded.
 */
export async function tryModel(path: string): Promise<Trial> {
  const model = checkModel(path);
  const { manifest } = model;
  let inference: Inference | undefined;
  try {
    inference = await Inference.open(model, {});
    const tensors = manifest.inputs.map((input) => {
      const channels = input.color === "GRAY" ? 1 : 3;
      const data = new Uint8Array(WIDTH * HEIGHT * channels).fill(GREY);
      const image = { data, width: WIDTH, height: HEIGHT, channels, release: () => {} } as const;
      const tensor = new Tensorizer(frameSpec(input, true)).fromImage(image);
      return new Array<FrameTensor>(input.frames).fill(tensor);
    });
    const inferred = await inference.run(tensors, zeroState(manifest));
    const outputs = [...inferred.outputs].map(([name, { dtype, shape }]) => ({
      name,
      dtype,
      shape,
    }));
    // The run shows the shapes that the file leaves open.
    const came = model.file.outputs.map((output) => ({
      ...output,
      ...outputs.find(({ name }) => name === output.name),
    }));
    const faults = signatureFaults(manifest, { ...model.file, outputs: came });
    if (faults.length > 0) throw new ManifestError(path, faults);
    const remarks = [...remarksOf(model), ...scoresRemark(inferred)];
    return { ...model, outputs, result: wordsOf(inferred), remarks, ms: inferred.ms };
  } catch (error) {
    if (error instanceof ManifestError) throw error;
    throw new ManifestError(path, [(error as Error).message], { cause: error });
  } finally {
    await inference?.close();
  }
}

function scoresRemark({ frames }: Inferred): string[] {
  const scores = frames.flatMap(({ objects = [] }) => objects.map(({ score }) => score));
  const highest = Math.max(0, ...scores);
  if (highest <= 1) return [];
  return [
    `Objects have scores of up to ${highest}: expected 0 to 1. Check format and ` +
    "columns; if the model returns logits, set activation",
  ];
}

function wordsOf({ scores, frames, data }: Inferred): string {
  const objects = frames.flatMap((frame) => frame.objects ?? []);
  const perFrame = frames.some((frame) => frame.scores !== undefined);
  const words = [
    counted(Object.keys(scores).length, "score"),
    perFrame ? `scores of ${counted(frames.length, "frame")}` : "",
    frames.some((frame) => frame.objects !== undefined) ? counted(objects.length, "object") : "",
    ...Object.keys(data),
  ].filter((word) => word !== "");
  return words.length === 0 ? "nothing found" : words.join(", ");
}

function counted(count: number, what: string): string {
  return count === 0 && what === "score" ? "" : `${count} ${what}${count === 1 ? "" : "s"}`;
}
