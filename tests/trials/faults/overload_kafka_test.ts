/** The same ten minutes with Kafka, where a lane that holds up its runtime would cost it the partitions. */
import { withKafka, withKafkaLog } from "../../support/kafka.ts";
import { longOverload } from "./overload.ts";

Deno.test("a slow sink, viewers that never read and a fast camera, ten minutes, Kafka", async () => {
  // A broker of its own: four gigabytes of frames are nothing for one that others use.
  await withKafka(
    {},
    (kafka) =>
      withKafkaLog((url, log) => longOverload("Kafka", url, log), `kafka://${kafka.bootstrap}`),
  );
});
