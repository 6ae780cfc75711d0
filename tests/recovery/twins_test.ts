/** Two runtimes that are given the same partitions on the embedded log. */
import { withLog } from "../support/log.ts";
import { GroupBed, twins } from "./group_bed.ts";

Deno.test("two runtimes on the same partitions without a group on the embedded log: one writes, the other ends and says why", async () => {
  await withLog(async (url, log, directory) => {
    const folder = `${directory}/images`;
    await new GroupBed({ log, url, source: "VideoStreaming", folder, sessionTimeoutMs: 1500 })
      .run(twins);
  });
});
