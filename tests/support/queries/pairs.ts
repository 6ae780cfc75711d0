/**
 * Labels each pair of two cameras with a hash over all pairs up to it: one pair lost, doubled or reordered
 * changes everything after it.
 */
import { crashing } from "../../recovery/crash.ts";
import { createHash } from "node:crypto";
import { display, type Pair, query } from "../../../runtime/mod.ts";

export default crashing(
  query("pairs")
    .readStream({ startingOffsets: "earliest", maxFramesPerTrigger: 8 })
    .align({ 0: 1 }, { toleranceMs: 30 })
    .transformWithState({
      name: "chain",
      init: () => ({ hash: "" }),
      handleInput(state, pair: Pair) {
        state.hash = createHash("sha256").update(
          `${state.hash} ${pair.offset} ${pair.other.offset} `,
        )
          .update(pair.value).update(pair.other.value).digest("hex");
        return [{ ...pair, headers: { ...pair.headers, label: state.hash } }];
      },
    })
    .writeStream(display()),
);
