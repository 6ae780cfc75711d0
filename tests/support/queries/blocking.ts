/** Holds the thread of partition 0 at offset 20 until there is the file FRAMELANE_TEST_MARKER. */
import { existsSync } from "node:fs";
import { display, type Frame, query } from "../../../runtime/mod.ts";

const marker = Deno.env.get("FRAMELANE_TEST_MARKER")!;

export default query("blocking")
  .readStream({ startingOffsets: "earliest", maxFramesPerTrigger: 4 })
  .map((frame: Frame) => {
    while (frame.partition === 0 && frame.offset === 20 && !existsSync(marker));
    return frame;
  })
  .writeStream(display());
