// Reads outputs of models without a model.
import { parseManifest } from "../../../../queries/operators/model/manifest.ts";
import { OutputReaders } from "../../../../queries/operators/model/readers/mod.ts";
import type { ModelTensor, Samples } from "../../../../queries/operators/model/session.ts";
import { placementOf } from "../../../../runtime/image/mod.ts";

/** Reads one output of a model of 64x32 pixels, which is shown a frame of 128x128: letterboxed to 32x32. */
export function read(
  output: object,
  shape: readonly number[],
  data: Samples,
  frames = 1,
  others: Readonly<Record<string, ModelTensor>> = { s: SCORE },
) {
  const input = { name: "i", layout: "NTCHW", frames, width: 64, height: 32, resize: "letterbox" };
  const manifest = parseManifest({
    name: "m",
    file: "m.onnx",
    input,
    outputs: [{ name: "o", ...output }],
  }, "model.json");
  const spec = { ...manifest.inputs[0]!, dtype: "float32", order: "CHW" } as const;
  const placements = new Array(frames).fill(placementOf(spec, 128, 128));
  const dtype = data instanceof BigInt64Array ? "int64" : "float32";
  return new OutputReaders(manifest).read(
    new Map(Object.entries({ o: { dtype, shape, data }, ...others })),
    { frames, input: manifest.inputs[0]!, placements },
  );
}

const SCORE = { dtype: "float32", shape: [1, 1, 1], data: Float32Array.of(0.5) };
