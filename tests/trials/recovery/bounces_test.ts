/** Five rolling bounces of three runtimes in one group on the embedded log. */
import { withLog } from "../../support/log.ts";
import { bounceTrials } from "./bounces.ts";

Deno.test("five rolling bounces on the embedded log", async () => {
  await withLog((url, log, directory) =>
    bounceTrials("embedded log", {
      log,
      url,
      source: "VideoStreaming",
      folder: `${directory}/images`,
      sessionTimeoutMs: 2000,
    })
  );
});
