/** Five rolling bounces of three runtimes in one group on Kafka. */
import { uniqueName, withKafkaLog } from "../../support/kafka.ts";
import { bounceTrials } from "./bounces.ts";

Deno.test("five rolling bounces on Kafka", async () => {
  await withKafkaLog((url, log, folder) =>
    bounceTrials("Kafka", {
      ...{ log, url, folder },
      source: uniqueName("bounce"),
      sessionTimeoutMs: 6000,
    })
  );
});
