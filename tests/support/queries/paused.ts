/** A query whose sink waits until the test lets it go, and whose operator fails at a given offset. */
import { foreachBatch, query } from "../../../runtime/mod.ts";

/** What the test and the query share: they run in one thread. */
export const shared = { gate: Promise.resolve(), failAt: -1 };

export default query("paused").readStream({ maxFramesPerTrigger: 4 })
  .map((frame) => {
    if (frame.offset === shared.failAt) {
      throw new Error("told to", { cause: new Error("the test") });
    }
    return frame;
  })
  .writeStream(foreachBatch(() => shared.gate))
  .onOperatorError("restart");
