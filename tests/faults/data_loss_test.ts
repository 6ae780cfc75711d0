/** Frames that expire under a query on the embedded log. */
import { Random } from "../support/random.ts";
import { dataLoss, dataLossWhileRunning } from "./data_loss.ts";
import { withEmbeddedPlace } from "./data_loss_places.ts";

Deno.test("frames expire under a query on the embedded log: a named stop; opted in, the exact count", async () => {
  await withEmbeddedPlace(dataLoss);
});

Deno.test("frames expire under a query that runs on the embedded log: a named stop; opted in, the exact count", async () => {
  await withEmbeddedPlace(async (place) => {
    await dataLossWhileRunning(place, Random.fromEnvironment(2));
  });
});
