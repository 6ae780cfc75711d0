/** A sink ten times too slow, viewers that never read and a camera at ten times its rate, for ten minutes. */
import { assertKept, overload } from "../../faults/overload.ts";
import { withLog } from "../../support/log.ts";
import { reportRow } from "../../support/trial_report.ts";

Deno.test("a slow sink, viewers that never read and a fast camera, ten minutes", async () => {
  await withLog(async (url, log) => {
    const report = await overload({
      ...{ log, url, topic: "VideoStreaming" },
      ...{ calmMs: 60_000, overloadMs: 600_000, viewers: 20 },
    });
    assertKept(report);
    const [grown, kept] = [Math.round(report.grownMiB), (100 * report.throughput).toFixed(1)];
    reportRow({
      fault:
        `sink 10 times too slow, viewers that never read, a camera at 10 times its rate, 10 min: memory +${grown} MiB, no rebalance, other lanes ${kept} %`,
      repetitions: 1,
      verdict: report.verdict,
    });
  });
});
