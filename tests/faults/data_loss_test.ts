/** Frames that expire under a query on the embedded log. */
import { EmbeddedLog } from "../../runtime/log/embedded/log.ts";
import { withLog } from "../support/log.ts";
import { dataLoss } from "./data_loss.ts";

Deno.test("frames expire under a query on the embedded log: a named stop; opted in, the exact count", async () => {
  await withLog((url, log) =>
    dataLoss({
      log,
      url,
      topic: "VideoStreaming",
      expire: (topic, before) => (log as EmbeddedLog).deleteRecords(topic, 0, before),
    })
  );
});
