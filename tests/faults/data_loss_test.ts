/** Frames that expire under a query on the embedded log. */
import { accessUnits, GROUP } from "../support/access_units.ts";
import { withFolder } from "../support/folder.ts";
import { Random } from "../support/random.ts";
import { dataLoss, dataLossWhileRunning, expiredBehindVideo } from "./data_loss.ts";
import { withEmbeddedPlace } from "./data_loss_places.ts";

Deno.test("frames expire under a query on the embedded log: a named stop; opted in, the exact count", async () => {
  await withEmbeddedPlace(dataLoss);
});

Deno.test("frames expire in the middle of a group of H.264: what has lost its keyframe is dropped and counted", async () => {
  const units = await accessUnits({ frames: 5 * GROUP, gop: GROUP });
  await withEmbeddedPlace((place) => dataLoss({ ...place, units }));
});

Deno.test("frames expire under a query that runs on the embedded log: a named stop; opted in, the exact count", async () => {
  await withEmbeddedPlace(async (place) => {
    await dataLossWhileRunning(place, Random.fromEnvironment(2));
  });
});

Deno.test("frames expire that only an unfinished video would see again: nothing is lost", async () => {
  await withFolder((folder) => withEmbeddedPlace((place) => expiredBehindVideo(place, folder)));
});
