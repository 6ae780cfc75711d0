/** Five rolling bounces of three runtimes in one group on Kafka. */
import { openLog } from "../../../runtime/log/open.ts";
import { kafkaUrl, uniqueName } from "../../support/kafka.ts";
import { bounceTrials } from "./bounces.ts";

Deno.test("five rolling bounces on Kafka", async () => {
  const url = kafkaUrl();
  const folder = await Deno.makeTempDir({ prefix: "framelane-test-" });
  const log = await openLog(url);
  try {
    const source = uniqueName("bounce");
    await bounceTrials("Kafka", { log, url, source, folder, sessionTimeoutMs: 6000 });
  } finally {
    await log.close();
    await Deno.remove(folder, { recursive: true });
  }
});
