/**
 * Labels each frame with a hash over all frames up to it: one frame lost, doubled or reordered, or a
 * state brought back wrongly, changes everything after it.
 */
import { crashing } from "../../recovery/crash.ts";
import { createHash } from "node:crypto";
import { display, type Frame, query } from "../../../runtime/mod.ts";

export default crashing(
  query("chain")
    .readStream({ startingOffsets: "earliest", maxFramesPerTrigger: 8 })
    .transformWithState({
      name: "chain",
      init: () => ({ hash: "" }),
      handleInput(state, frame: Frame) {
        state.hash = createHash("sha256").update(`${state.hash} ${frame.offset} `)
          .update(frame.value).digest("hex");
        return [{ ...frame, headers: { ...frame.headers, label: state.hash } }];
      },
    })
    .writeStream(display()),
);
