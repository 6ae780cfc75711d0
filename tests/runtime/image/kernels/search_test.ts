import assert from "node:assert/strict";
import { indexesFrom, searchableFloats } from "../../../../runtime/image/mod.ts";
import { Random } from "../../../support/random.ts";

Deno.test("the kernel finds the same numbers as a plain search, in any part of its memory", () => {
  const random = new Random(7);
  const memory = searchableFloats(5_000);
  for (let i = 0; i < memory.length; i++) memory[i] = 2 * random.next() - 1;
  memory.set([NaN, Infinity, -Infinity, 0.5, -0], 100);
  for (
    const [from, to] of [[0, 5_000], [1, 4_999], [3, 18], [7, 23], [100, 105], [9, 9]] as const
  ) {
    const part = memory.subarray(from, to);
    for (const least of [-2, -0.25, 0, 0.3, 0.5, 0.99, 2]) {
      const wanted = [...part.entries()].filter(([, value]) => value >= least).map(([at]) => at);
      assert.deepEqual(indexesFrom(part, least), wanted, `${from} to ${to} from ${least}`);
      assert.deepEqual(indexesFrom(part.slice(), least), wanted);
    }
  }
});
