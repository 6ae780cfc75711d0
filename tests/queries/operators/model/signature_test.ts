import assert from "node:assert/strict";
import { ManifestError, parseManifest } from "../../../../queries/operators/model/manifest.ts";
import { model } from "../../../../queries/operators/model/model.ts";
import type { Dimension } from "../../../../queries/operators/model/onnx_file.ts";
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

/** Faults of a manifest for two pictures, and its outputs, beside a file of these inputs and outputs. */
function faultsOf(
  outputs: readonly object[],
  shapes: Readonly<Record<string, Dimension[] | undefined>>,
  more: { readonly constants?: object; readonly inputs?: typeof shapes } = {},
): string {
  const input = { name: "frames", layout: "NCHW", frames: 2, height: 8, width: 8 };
  const { inputs = {}, constants = {} } = more;
  const manifest = parseManifest({ name: "m", file: "m.onnx", input, constants, outputs }, "");
  const values = (all: typeof shapes) =>
    Object.entries(all).map(([name, shape]) => ({ name, dtype: "float32", shape }));
  return signatureFaults(manifest, {
    inputs: values({ frames: [2, 3, 8, 8], ...inputs }),
    outputs: values(shapes),
    ...{ producer: "", opset: 17, metadata: {}, external: [], sha256: "", bytes: 0 },
  }).join("; ");
}

Deno.test("a constant may have numbers for each frame of a free dimension", () => {
  const outputs = [{ name: "o", kind: "vector" }], inputs = { sizes: ["N", 2] };
  const faults = (name: string, numbers: number) =>
    faultsOf(outputs, { o: [2, 8] }, { inputs, constants: { [name]: new Array(numbers).fill(7) } });
  assert.deepEqual([faults("sizes", 2), faults("sizes", 4)], ["", ""]);
  assert.match(
    faults("sizes", 3),
    /constants.sizes: the manifest says \[7,7,7\], the file has floa/,
  );
  assert.match(
    faults("size", 2),
    /constants.size: the manifest says size, the file's inputs are fra/,
  );
});

Deno.test("labels of a detector are counted where its shape tells how many there are", () => {
  const detector = (labels: number, format = "yolov8") => [{
    ...{ name: "o", kind: "objects", format },
    labels: Array.from({ length: labels }, (_, i) => `class ${i}`),
  }];
  for (
    const shape of [[2, 84, 99], [2, 99, 84], ["b", "r", "c"], ["b", "r", 8400], ["c"], undefined]
  ) {
    assert.equal(faultsOf(detector(80), { o: shape }), "", `${shape}`);
  }
  for (const shape of [[2, 84, 99], [2, "c", 84]]) {
    assert.match(faultsOf(detector(79), { o: shape }), /says 79 labels, the file has 80 classes/);
  }
  assert.match(faultsOf(detector(80, "yolov5"), { o: [2, 99, 84] }), /the file has 79 classes/);
  // The columns behind those of the labels are masks.
  assert.equal(faultsOf(detector(80), { o: [2, 116, 8400], masks: [2, 32, 160, 160] }), "");
});

Deno.test("scores are counted where the shape tells how many there are", () => {
  const faults = (output: object, shape: Dimension[] | undefined) =>
    faultsOf([{ name: "o", kind: "window", ...output }], { o: shape });
  assert.match(
    faults({}, [1, 2001]),
    /the file has 2001 values .*, expected up to 2000 scores; read/,
  );
  assert.match(faults({ kind: "frame" }, [2, 1001]), /2002 values .*, expected up to 2000 scores/);
  for (
    const [output, shape] of [
      [{}, [1, 2000]],
      [{ top: 5 }, [1, 2001]],
      [{ kind: "frame", top: 5 }, [2, 1001]],
      [{}, ["b", "values"]],
      [{ labels: ["a"] }, ["b", 1]],
      [{}, undefined],
    ] as const
  ) assert.equal(faults(output, shape && [...shape]), "");
});
