/** A sink ten times too slow, viewers that never read and a camera at ten times its rate, for ten minutes. */
import { assertKept, overload, reportOverload } from "../../faults/overload.ts";
import { withLog } from "../../support/log.ts";

Deno.test("a slow sink, viewers that never read and a fast camera, ten minutes", async () => {
  await withLog(async (url, log) => {
    const report = await overload({
      ...{ log, url, topic: "VideoStreaming" },
      ...{ calmMs: 60_000, overloadMs: 600_000, viewers: 20 },
    });
    assertKept(report);
    reportOverload(report, "embedded log, 10 min");
  });
});
