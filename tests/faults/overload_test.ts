/** A slow sink, viewers that never read, a camera that is too fast. The long version continues for ten minutes. */
import { withLog } from "../support/log.ts";
import { assertKept, overload } from "./overload.ts";

Deno.test("overload, embedded log: memory stays, no rebalance, the other lanes do not wait for the slow one", async () => {
  await withLog(async (url, log) => {
    assertKept(
      await overload({
        ...{ log, url, topic: "VideoStreaming" },
        ...{ calmMs: 5000, overloadMs: 10_000, viewers: 6 },
      }),
    );
  });
});
