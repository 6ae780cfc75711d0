/** kill -9 at 100 points on Kafka. `FRAMELANE_TEST_SEED` chooses others. */
import { openLog } from "../../../runtime/log/open.ts";
import { kafkaUrl, uniqueName } from "../../support/kafka.ts";
import { killTrials } from "./kill.ts";

Deno.test("kill -9 at 100 points on Kafka", async () => {
  const url = kafkaUrl();
  const folder = await Deno.makeTempDir({ prefix: "framelane-test-" });
  const log = await openLog(url);
  try {
    await killTrials("Kafka", { log, url, source: uniqueName("kill"), folder });
  } finally {
    await log.close();
    await Deno.remove(folder, { recursive: true });
  }
});
