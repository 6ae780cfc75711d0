/** What one camera's frames, operators and sinks do wrong costs that camera alone. */
import assert from "node:assert/strict";
import { assertSame, neighbours } from "./neighbours.ts";

Deno.test("eight cameras that do wrong leave the outputs of eight others byte for byte as they were", async () => {
  const FRAMES = 60;
  const run = await neighbours({ frames: FRAMES, executors: 2 });
  assertSame(run);
  const error = run.errors.find(({ partition, offset }) => partition === 11 && offset === 67)!;
  assert.equal(error.operator, "map(gauge)");
  assert.equal(error.file, "tests/support/queries/neighbours.ts");
});
