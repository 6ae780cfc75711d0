import assert from "node:assert/strict";
import { restorePoint } from "../../../runtime/engine/restore_points.ts";

Deno.test("few points are kept, however far back a restart must go, and one is never far before it", () => {
  for (const back of [0, 1, 50, 3_000, Infinity]) {
    const points = [{ end: 0 }];
    for (let end = 1; end <= 20_000; end++) {
      const needed = Math.max(0, end - back);
      const { end: found } = restorePoint(points, { end }, needed);
      assert.ok(found <= needed && needed - found <= 1 + back / 100, `${found} for ${needed}`);
      assert.ok(points.length < 1_000, `${points.length} points`);
    }
  }
});
