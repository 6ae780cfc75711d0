/** The same overload with Kafka, where a lane that holds up its runtime would cost it the partitions. */
import { openLog } from "../../../runtime/log/open.ts";
import { kafkaUrl, uniqueName } from "../../support/kafka.ts";
import { assertKept, overload } from "../../faults/overload.ts";

Deno.test("overload, Kafka: memory stays, no rebalance, the other lanes keep their throughput", async () => {
  const url = kafkaUrl();
  const log = await openLog(url);
  try {
    assertKept(
      await overload({
        ...{ log, url, topic: uniqueName("overload") },
        ...{ calmMs: 5000, overloadMs: 10_000, viewers: 6 },
      }),
    );
  } finally {
    await log.close();
  }
});
