/**
 * A query whose second partition keeps more memory than there is: with each frame, or in one call from
 * the seventh frame on (FRAMELANE_TEST_GREEDY).
 */
import { type Frame, query, topic } from "../../../runtime/mod.ts";

const greedy = Deno.env.get("FRAMELANE_TEST_GREEDY");
const kept: unknown[] = [];
const megabytes = (count: number) => {
  // Objects, since buffers lie elsewhere.
  for (let i = 0; i < count; i++) kept.push(Array.from({ length: 20_000 }, (_, n) => ({ n })));
};

export default query("greedy")
  .readStream({ startingOffsets: "earliest", maxFramesPerTrigger: 4 })
  .map((frame: Frame) => {
    if (frame.partition === 1 && greedy === "frames") megabytes(4);
    if (frame.partition === 1 && greedy === "call" && frame.offset === 7) megabytes(1e9);
    return frame;
  })
  .writeStream(topic({ name: "out" }));
