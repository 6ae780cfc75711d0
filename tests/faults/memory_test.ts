/** A lane that keeps ever more memory is ended with its executor and named, before the process has none. */
import { fileURLToPath } from "node:url";
import { FramelaneProcess } from "../support/framelane.ts";
import { records } from "../support/frames.ts";
import { withLog } from "../support/log.ts";

/** Enough to fill the memory of several executors, one after the other. */
const FRAMES = 500;
const QUERY = fileURLToPath(new URL("../support/queries/greedy.ts", import.meta.url));

for (const greedy of ["frames", "call"]) {
  Deno.test(`a lane that keeps ever more memory (${greedy}) leaves its neighbour alone`, async () => {
    await withLog(async (url, log) => {
      await log.createTopic("VideoStreaming", 2);
      await log.createTopic("out", 2);
      const producer = await log.producer();
      for (const partition of [1, 0]) {
        await producer.append("VideoStreaming", partition, records(partition + 1, FRAMES));
      }
      await producer.close();
      const process = new FramelaneProcess(
        ["queries", QUERY, "--log", url, "--executors", "1", "--port", "off", "--json"],
        // A small heap, so that it is full soon.
        { env: { FRAMELANE_TEST_GREEDY: greedy, DENO_V8_FLAGS: "--max-old-space-size=400" } },
      );
      const named = greedy === "frames"
        ? /PARTITION-1 failed: .*ended before it ran out of memory/
        : /PARTITION-1 failed: Operator map\(.*\) .* offset 7: .* while blocked, its thread allocated \d+ MB/;
      await process.until(
        "the lane to be named and its neighbour to be done",
        ({ said }) =>
          said.some((line) => named.test(line)) &&
          process.progress(0).at(-1)?.sources[0]?.endOffset["VideoStreaming"]?.[0] === FRAMES,
      );
      await process.stop();
    });
  });
}
