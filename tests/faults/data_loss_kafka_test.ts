/** Frames that expire under a query on Kafka. */
import { Random } from "../support/random.ts";
import { dataLoss, dataLossWhileRunning } from "./data_loss.ts";
import { withKafkaPlace } from "./data_loss_places.ts";

Deno.test("frames expire under a query on Kafka: a named stop; opted in, the exact count", async () => {
  await withKafkaPlace(dataLoss);
});

Deno.test("frames expire under a query that runs on Kafka: a named stop; opted in, the exact count", async () => {
  await withKafkaPlace(async (place) => {
    await dataLossWhileRunning(place, Random.fromEnvironment(2));
  });
});
