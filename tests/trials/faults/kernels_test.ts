import assert from "node:assert/strict";
import { fuzzKernels } from "../../runtime/image/kernels/fuzzing.ts";

Deno.test("kernels: 240,000 damaged files, no trap", async () => {
  for (let seed = 1; seed <= 24; seed++) {
    const { taken } = await fuzzKernels(10_000, seed);
    assert.ok(taken > 500, `${taken} taken with seed ${seed}`);
  }
});
