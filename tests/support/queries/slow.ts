/** A sink that takes FRAMELANE_TEST_SLOW_MS for each frame of partition 0, and nothing for others. */
import { display, foreach, type Output, query } from "../../../runtime/mod.ts";

const ms = Number(Deno.env.get("FRAMELANE_TEST_SLOW_MS") ?? "100");

export default query("slow")
  .readStream({ startingOffsets: "earliest" })
  .writeStream(
    foreach((output: Output) =>
      output.partition === 0
        ? new Promise<void>((resolve) => setTimeout(resolve, ms))
        : Promise.resolve()
    ),
    display(),
  );
