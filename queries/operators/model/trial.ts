// A model tried once, on grey frames.
import { Tensorizer } from "../../../runtime/mod.ts";
import { type FrameTensor } from "../../../runtime/image/mod.ts";
import { type CheckedModel, checkModel, Inference, type Inferred } from "./inference.ts";
import { ManifestError } from "./manifest.ts";
import { frameSpec, padBars } from "./window_tensor.ts";
import { zeros } from "./session.ts";

export { remarksOf } from "./inference.ts";

/** What a try gave. */
export interface Trial extends CheckedModel {
  /** The tensors that came out. */
  readonly outputs: readonly {
    readonly name: string;
    readonly dtype: string;
    readonly shape: readonly number[];
  }[];
  /** What they were read as, as text. */
  readonly result: string;
  /** Milliseconds in the model. */
  readonly ms: number;
}

/** A frame of an ordinary size. */
const WIDTH = 640, HEIGHT = 480, GREY = 114;

/**
 * Checks a manifest against its file, runs the model on grey frames, and reads what it says.
 *
 * @throws {ManifestError} naming all faults, or why the model does not run, or what cannot be read.
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
      return Array.from({ length: input.frames }, (): FrameTensor => {
        const tensor = new Tensorizer(frameSpec(input, true)).fromImage(image);
        padBars(input, tensor);
        return tensor;
      });
    });
    const state = Object.fromEntries(
      manifest.state.map(({ input, dtype, shape }) => [input, zeros(dtype, shape)]),
    );
    const inferred = await inference.run(tensors, state);
    const outputs = [...inferred.outputs].map(([name, { dtype, shape }]) => ({
      name,
      dtype,
      shape,
    }));
    return { ...model, outputs, result: wordsOf(inferred), ms: inferred.ms };
  } catch (error) {
    throw new ManifestError(path, [(error as Error).message], { cause: error });
  } finally {
    await inference?.close();
  }
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
