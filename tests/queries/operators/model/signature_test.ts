import assert from "node:assert/strict";
import { ManifestError, parseManifest } from "../../../../queries/operators/model/manifest.ts";
import { model } from "../../../../queries/operators/model/model.ts";
import { signatureFaults } from "../../../../queries/operators/model/signature.ts";
import { orderModel } from "./order_kit.ts";

interface Manifest {
  readonly input: object;
  readonly state?: unknown;
}

/** Writes a manifest for one of the models, changed. */
async function misfit(name: string, change: (manifest: Manifest) => unknown): Promise<Error> {
  const folder = await Deno.makeTempDir();
  try {
    const manifest = JSON.parse(await Deno.readTextFile(orderModel(name)));
    const bytes = await Deno.readFile(orderModel(name).replace(/json$/, "onnx"));
    await Deno.writeFile(`${folder}/${manifest.file}`, bytes);
    await Deno.writeFile(`${folder}/cut.onnx`, bytes.subarray(0, 300));
    await Deno.writeTextFile(`${folder}/model.json`, JSON.stringify(change(manifest)));
    model(`${folder}/model.json`);
  } catch (error) {
    assert.ok(error instanceof ManifestError, `threw ${error}`);
    return error;
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
  throw new Error("The manifest was taken");
}

Deno.test("what does not fit the file is refused, with both sides", async () => {
  const cases: [(manifest: Manifest) => unknown, RegExp][] = [
    [(m) => ({ ...m, sha256: "0".repeat(64) }), /sha256: the manifest says 0{64}, the file has \w/],
    [(m) => ({ ...m, file: "none.onnx" }), /file: .*none.onnx/],
    [(m) => ({ ...m, file: "cut.onnx" }), /file: Cannot read .*cut.onnx as an ONNX model: it is c/],
    [
      (m) => ({ ...m, input: { ...m.input, name: "image" } }),
      /input.name: the manifest says image, the file's inputs are frames/,
    ],
    [
      (m) => ({ ...m, input: { ...m.input, dtype: "uint8" } }),
      /input.dtype: the manifest says uint8, the file has float32/,
    ],
    [
      (m) => ({ ...m, input: { ...m.input, layout: "NCTHW" } }),
      /input.layout NCTHW: the manifest says \[1, 3, 8, 1, 16\], the file has \[1, 8, 1, 16, 3\]/,
    ],
    [
      (m) => ({ ...m, input: { ...m.input, frames: 9 } }),
      /NTHWC: the manifest says \[1, 9, 1, 16, 3\], the file has \[1, 8, 1, 16, 3\]/,
    ],
    [
      (m) => ({ ...m, input: { ...m.input, layout: "NHWC" } }),
      /the manifest says \[8, 1, 16, 3\], the file has \[1, 8, 1, 16, 3\]/,
    ],
    [
      (m) => ({ ...m, outputs: [{ name: "scores", kind: "frame" }] }),
      /outputs\[0\].name: the manifest says scores, the file's outputs are seen, last/,
    ],
    [
      (m) => ({ ...m, outputs: [{ name: "last", kind: "window", labels: ["a", "b"] }] }),
      /outputs\[0\].labels: the manifest says 2 labels, the file has 1 values \(\[1, 1\]\)/,
    ],
    [
      (m) => ({ ...m, outputs: [{ name: "last", kind: "frame" }] }),
      /outputs\[0\].kind: the manifest says frame, with 8 frames, the file has \[1, 1\]/,
    ],
    [
      (m) => ({
        ...m,
        outputs: [{ name: "seen", kind: "frame" }],
        state: [{ input: "s", output: "last", dtype: "float32", shape: [1, 7] }],
      }),
      /state\[0\].input: the manifest says s, .*\n.*shape: the manifest says \[1, 7\], the file h/,
    ],
  ];
  for (const [change, message] of cases) {
    assert.match((await misfit("nthwc", change)).message, message);
  }
  const error = await misfit("state", ({ state: _, ...rest }) => rest);
  assert.match(
    error.message,
    /input: the file needs sum_in \(float32 \[1, 1\]\), the manifest has/,
  );
  assert.match(error.message, /input: the file needs runs_in \(int64 \[1\]\)/);
});

Deno.test("a constant may have numbers for each frame of a free dimension", () => {
  const faultsOf = (numbers: number) => {
    const input = { name: "frames", layout: "NCHW", frames: 2, height: 8, width: 8 };
    const constants = { sizes: new Array(numbers).fill(7) };
    const outputs = [{ name: "o", kind: "vector" }];
    const manifest = parseManifest({ name: "m", file: "m.onnx", input, constants, outputs }, "");
    const [dtype, shape] = ["float32", [2, 3, 8, 8]];
    return signatureFaults(manifest, {
      inputs: [{ name: "frames", dtype, shape }, { name: "sizes", dtype, shape: ["N", 2] }],
      outputs: [{ name: "o", dtype, shape }],
      ...{ producer: "", opset: 17, metadata: {}, external: [], sha256: "", bytes: 0 },
    });
  };
  assert.deepEqual([faultsOf(2), faultsOf(4)], [[], []]);
  assert.match(
    faultsOf(3).join(),
    /constants.sizes: the manifest says \[7,7,7\], the file has floa/,
  );
});
