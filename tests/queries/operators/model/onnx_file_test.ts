import assert from "node:assert/strict";
import fc from "fast-check";
import { readManifest } from "../../../../queries/operators/model/manifest.ts";
import { readOnnx } from "../../../../queries/operators/model/onnx_file.ts";
import { orderModel } from "./order_kit.ts";

Deno.test("readOnnx says what a file holds", () => {
  const { inputs, outputs, producer, opset, sha256 } = readOnnx(
    orderModel("state").replace(/json$/, "onnx"),
  );
  assert.deepEqual(inputs, [
    { name: "frames", dtype: "float32", shape: [1, 1, 1, 16, 3] },
    { name: "sum_in", dtype: "float32", shape: [1, 1] },
    { name: "runs_in", dtype: "int64", shape: [1] },
  ]);
  assert.deepEqual(outputs.map(({ name }) => name), ["sum", "runs", "sum_out", "runs_out"]);
  assert.deepEqual([producer, opset], ["make.py", 18]);
  assert.equal(sha256, readManifest(orderModel("state")).sha256);
});

Deno.test("readOnnx reads no device, which may never end", () => {
  assert.throws(
    () => readOnnx("/dev/zero"),
    /^Error: Cannot read \/dev\/zero as .*not a regular file$/,
  );
});

Deno.test("readOnnx refuses damaged files with an error of its own", async () => {
  const bytes = await Deno.readFile(orderModel("two").replace(/json$/, "onnx"));
  const path = await Deno.makeTempFile();
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.nat(bytes.length - 1), fc.nat(255)), { maxLength: 5 }),
      fc.nat(bytes.length),
      (changes, end) => {
        const copy = bytes.slice(0, end);
        for (const [at, value] of changes) if (at < end) copy[at] = value;
        Deno.writeFileSync(path, copy);
        try {
          readOnnx(path);
        } catch (error) {
          assert.match((error as Error).message, /^Cannot read .* as an ONNX model: /);
        }
      },
    ),
    { numRuns: 1000 },
  );
  await Deno.remove(path);
});
