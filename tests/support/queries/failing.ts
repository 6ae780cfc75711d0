/** Throws on partition 0 at offset 5, the first three times. */
import { display, type Frame, query } from "../../../runtime/mod.ts";

const marker = Deno.env.get("FRAMELANE_TEST_MARKER")!;

export default query("failing")
  .readStream({ startingOffsets: "earliest" })
  .map((frame: Frame) => {
    if (frame.partition === 0 && frame.offset === 5) {
      Deno.writeTextFileSync(marker, "x", { append: true });
      if (Deno.readTextFileSync(marker).length < 3) throw new Error("This frame is cursed");
    }
    return frame;
  })
  .writeStream(display())
  .onOperatorError("restart");
