/** Frames that expire under a query on Kafka. */
import { openLog } from "../../runtime/log/open.ts";
import { kafkaUrl, uniqueName, withAdmin } from "../support/kafka.ts";
import { dataLoss } from "./data_loss.ts";

Deno.test("frames expire under a query on Kafka: a named stop; opted in, the exact count", async () => {
  const url = kafkaUrl();
  const log = await openLog(url);
  try {
    await dataLoss({
      log,
      url,
      topic: uniqueName("expire"),
      expire: (name, before) =>
        withAdmin(async (admin) => {
          await admin.deleteRecords({
            topics: [{ name, partitions: [{ partition: 0, offset: BigInt(before) }] }],
          });
        }),
    });
  } finally {
    await log.close();
  }
});
