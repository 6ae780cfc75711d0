import assert from "node:assert/strict";
import { fuzzKernels } from "./fuzzing.ts";

Deno.test("no damage to segments makes a kernel trap", async () => {
  const { taken, repaired } = await fuzzKernels(12_000, 2024);
  assert.ok(taken > 1_000, `${taken} taken`);
  assert.ok(repaired > 500, `${repaired} repaired`);
});
