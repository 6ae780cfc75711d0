import assert from "node:assert/strict";
import process from "node:process";
import { readManifest } from "../../../../queries/operators/model/mod.ts";
import { type ModelTensor, openSession } from "../../../../queries/operators/model/session.ts";

Deno.test("a run leaves no copy of its outputs behind", async () => {
  const { file } = readManifest(
    new URL("../../../../models/centernet/model.json", import.meta.url),
  );
  const session = await openSession(file);
  const image = {
    dtype: "float32",
    shape: [1, 384, 384, 3],
    data: new Float32Array(3 * 384 * 384),
  };
  const text = (outputs: ReadonlyMap<string, ModelTensor>) =>
    outputs.get("keypoints")!.data.subarray(0, 500).join();
  const run = () => session.run({ image }, ["keypoints"], text);
  let lent: ArrayLike<number> | undefined;
  const first = await session.run({ image }, ["keypoints"], (outputs) => {
    lent = outputs.get("keypoints")!.data as Float32Array;
    return text(outputs);
  });
  assert.equal(lent?.length, 0);
  const second = await run();
  const before = process.memoryUsage().external;
  for (let i = 0; i < 5; i++) assert.equal(await run(), first);
  const grown = process.memoryUsage().external - before;
  await session.close();
  assert.equal(second, first);
  // Each copy has 2.9 MB.
  assert.ok(grown < 2_000_000, `5 runs left ${grown} bytes behind`);
});
