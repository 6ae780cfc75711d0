/** kill -9 at 100 points on Kafka. `FRAMELANE_TEST_SEED` chooses others. */
import { uniqueName, withKafkaLog } from "../../support/kafka.ts";
import { killTrials } from "./kill.ts";

Deno.test("kill -9 at 100 points on Kafka", async () => {
  await withKafkaLog((url, log, folder) =>
    killTrials("Kafka", { log, url, source: uniqueName("kill"), folder })
  );
});

Deno.test("kill -9 at 100 points over access units of H.264, on Kafka", async () => {
  await withKafkaLog((url, log, folder) =>
    killTrials("H.264 on Kafka", { log, url, source: uniqueName("kill"), folder, video: true })
  );
});
