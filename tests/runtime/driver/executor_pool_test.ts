import assert from "node:assert/strict";
import { executorsFor } from "../../../runtime/driver/executor_pool.ts";

Deno.test("few lanes have an executor each, many share one for each core", () => {
  const executors = (cores: number) => [1, 3, 4, 5, 64].map((lanes) => executorsFor(lanes, cores));
  assert.deepEqual(executors(2), [2, 3, 4, 2, 2]);
  assert.deepEqual(executors(8), [8, 8, 8, 8, 8]);
});
