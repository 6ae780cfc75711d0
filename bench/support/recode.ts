/** `greyscale` that decodes and encodes each frame, as the bare codec loop does. */
import { greyscale } from "../../queries/operators/greyscale.ts";
import { display, query } from "../../runtime/mod.ts";

export default query("greyscale")
  .readStream({ startingOffsets: "earliest", maxFramesPerTrigger: 64 })
  .process(greyscale({ quality: 80 }))
  .writeStream(display());
