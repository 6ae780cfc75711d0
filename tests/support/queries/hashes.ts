/**
 * A finding for each overlapping window of six frames, which names a hash over the window. The window
 * before is part of it, in a state that is too large to lie beside a Kafka group's offset.
 */
import { crashing } from "../../recovery/crash.ts";
import { createHash } from "node:crypto";
import { display, type Finding, query } from "../../../runtime/mod.ts";
import { hashFinding } from "./hash_finding.ts";

const PADDING = "x".repeat(5_000);

export default crashing(
  query("hashes")
    .readStream({ startingOffsets: "earliest", maxFramesPerTrigger: 8 })
    .window({ frames: 6, hop: 4 })
    .transformWithState({
      name: "hashes",
      init: () => ({ before: "", padding: PADDING }),
      handleInput(state, window): Finding[] {
        const hash = createHash("sha256").update(`${state.before}${state.padding}`);
        for (const { offset, value } of window.frames) hash.update(`${offset} `).update(value);
        state.before = hash.digest("hex");
        return [hashFinding(window, state.before)];
      },
    })
    .writeStream(display()),
);
