/**
 * A query whose second partition keeps more memory than there is: with each frame, or in one call from
 * the seventh frame on (FRAMELANE_TEST_GREEDY).
 */
import { type Frame, query, topic } from "../../../runtime/mod.ts";

const greedy = Deno.env.get("FRAMELANE_TEST_GREEDY");
const kept: unknown[] = [];
// Objects, and arrays of numbers, since buffers lie elsewhere.
const megabytes = (count: number) => {
  for (let i = 0; i < count; i++) kept.push(Array.from({ length: 20_000 }, (_, n) => ({ n })));
};
/** A hundred megabytes a second, also where this thread gets little of a core. */
const grow = () => {
  for (;;) {
    for (let i = 0; i < 20; i++) kept.push(new Array(131_072).fill(0.5));
    for (const end = performance.now() + 200; performance.now() < end;);
  }
};

export default query("greedy")
  .readStream({ startingOffsets: "earliest", maxFramesPerTrigger: 4 })
  .map((frame: Frame) => {
    if (frame.partition === 1 && greedy === "frames") megabytes(4);
    if (frame.partition === 1 && greedy === "call" && frame.offset === 7) grow();
    return frame;
  })
  .writeStream(topic({ name: "out" }));
