/** A slow sink and viewers that never read. The long version watches for ten minutes. */
import assert from "node:assert/strict";
import { withLog } from "../support/log.ts";
import { GROWTH_MIB, overload } from "./overload.ts";

Deno.test("a sink that is too slow and viewers that never read: memory stays, the other lane is through", async () => {
  await withLog(async (url, log) => {
    const grown = await overload({
      log,
      url,
      backlog: 1200,
      watchMs: 6000,
      slowMs: 100,
      viewers: 6,
    });
    assert.ok(grown <= GROWTH_MIB, `grown by ${Math.round(grown)} MiB`);
  });
});
