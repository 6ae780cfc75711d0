/** kill -9 at 100 points on the embedded log. `FRAMELANE_TEST_SEED` chooses others. */
import { killTrials } from "./kill.ts";
import { withLog } from "../../support/log.ts";

Deno.test("kill -9 at 100 points on the embedded log", async () => {
  await withLog((url, log, folder) =>
    killTrials("embedded log", { log, url, source: "VideoStreaming", folder })
  );
});

Deno.test("kill -9 at 100 points over access units of H.264, on the embedded log", async () => {
  await withLog((url, log, folder) =>
    killTrials("H.264 on the embedded log", {
      log,
      url,
      source: "VideoStreaming",
      folder,
      video: true,
    })
  );
});
