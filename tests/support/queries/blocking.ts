/** Holds the thread of partition 0 at offset 20 for the milliseconds in FRAMELANE_TEST_BLOCK_MS. */
import { display, type Frame, query } from "../../../runtime/mod.ts";

const ms = Number(Deno.env.get("FRAMELANE_TEST_BLOCK_MS") ?? "3000");

export default query("blocking")
  .readStream({ startingOffsets: "earliest", maxFramesPerTrigger: 4 })
  .map((frame: Frame) => {
    if (frame.partition === 0 && frame.offset === 20) {
      const end = performance.now() + ms;
      while (performance.now() < end);
    }
    return frame;
  })
  .writeStream(display());
