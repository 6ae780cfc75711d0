/** The same ten minutes with Kafka, where a lane that holds up its runtime would cost it the partitions. */
import { assertKept, overload, reportOverload } from "../../faults/overload.ts";
import { withKafka, withKafkaLog } from "../../support/kafka.ts";

Deno.test("a slow sink, viewers that never read and a fast camera, ten minutes, Kafka", async () => {
  // A broker of its own: four gigabytes of frames are nothing for one that others use.
  await withKafka({}, (kafka) =>
    withKafkaLog(
      async (url, log) => {
        const report = await overload({
          ...{ log, url, topic: "VideoStreaming" },
          ...{ calmMs: 60_000, overloadMs: 600_000, viewers: 20 },
        });
        assertKept(report);
        reportOverload(report, "Kafka, 10 min");
      },
      { url: `kafka://${kafka.bootstrap}` },
    ));
});
