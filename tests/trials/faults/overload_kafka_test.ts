/** The same ten minutes with Kafka, where a lane that holds up its runtime would cost it the partitions. */
import { withKafka } from "../../support/kafka.ts";
import { openLog } from "../../../runtime/log/open.ts";
import { assertKept, overload, reportOverload } from "../../faults/overload.ts";

Deno.test("a slow sink, viewers that never read and a fast camera, ten minutes, Kafka", async () => {
  // A broker of its own: four gigabytes of frames are nothing for one that others use.
  await withKafka({}, async (kafka) => {
    const url = `kafka://${kafka.bootstrap}`;
    const log = await openLog(url);
    try {
      const report = await overload({
        ...{ log, url, topic: "VideoStreaming" },
        ...{ calmMs: 60_000, overloadMs: 600_000, viewers: 20 },
      });
      assertKept(report);
      reportOverload(report, "Kafka, 10 min");
    } finally {
      await log.close();
    }
  });
});
