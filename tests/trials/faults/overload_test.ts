/** A sink ten times too slow and viewers that never read, for ten minutes. */
import assert from "node:assert/strict";
import { GROWTH_MIB, overload } from "../../faults/overload.ts";
import { withLog } from "../../support/log.ts";
import { reportRow } from "../../support/trial_report.ts";

Deno.test("a slow sink and viewers that never read, ten minutes", async () => {
  await withLog(async (url, log) => {
    const grown = await overload({
      log,
      url,
      backlog: 8000,
      watchMs: 600_000,
      slowMs: 1000,
      viewers: 20,
    });
    assert.ok(grown <= GROWTH_MIB, `grown by ${Math.round(grown)} MiB`);
    reportRow({
      fault: `sink too slow and viewers that never read, 10 min: memory +${Math.round(grown)} MiB`,
      repetitions: 1,
      verdict: { lost: 0, doubled: 0, reordered: 0 },
    });
  });
});
