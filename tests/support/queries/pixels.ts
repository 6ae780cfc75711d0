/**
 * A finding for each overlapping window of six frames, which names a hash over what they show: pictures are
 * asked for again that were decoded long before.
 */
import { crashing } from "../../recovery/crash.ts";
import { createHash } from "node:crypto";
import { display, type Finding, pictureOf, query, type Window } from "../../../runtime/mod.ts";
import { hashFinding } from "./hash_finding.ts";

export default crashing(
  query("pixels")
    .readStream({ startingOffsets: "earliest", maxFramesPerTrigger: 8 })
    .window({ frames: 6, hop: 4 })
    .process({
      name: "pixels",
      open: () => ({
        async process(window: Window): Promise<Finding[]> {
          const hash = createHash("sha256");
          for (const frame of window.frames) {
            const picture = await pictureOf(frame);
            const grey = await picture.pixels(1, 2);
            hash.update(grey.data);
            grey.release();
            picture.release();
          }
          return [hashFinding(window, hash.digest("hex"))];
        },
      }),
    })
    .writeStream(display()),
);
