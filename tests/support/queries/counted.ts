/**
 * As the query `count`, with a detector that is a script: six walkers to and fro over a line, who flicker
 * and are hidden for a while.
 */
import { crashing } from "../../recovery/crash.ts";
import { events, type Frame, query } from "../../../runtime/mod.ts";
import { track } from "../../../queries/operators/track/mod.ts";
import { zones } from "../../../queries/operators/zones/mod.ts";

const PLACES = {
  lines: [{ name: "door", from: [0.5, 0], to: [0.5, 1] }],
  zones: [{ name: "left", polygon: [[0, 0], [0.5, 0], [0.5, 1], [0, 1]] }],
} as const;

/** What the detector sees in a frame. */
function objectsOf(offset: number) {
  return Array.from({ length: 6 }, (_, walker) => {
    const way = (offset * (2 + walker) + 40 * walker) % 400;
    const x = way < 200 ? way : 400 - way;
    const y = 20 + walker * 28;
    const score = (offset + walker) % 7 === 0 ? 0.2 : 0.9;
    return { label: "person", score, box: [x - 8, y - 20, x + 8, y] as const };
  }).filter((_, walker) => (offset + 3 * walker) % 11 !== 0);
}

export default crashing(
  query("counted")
    .readStream({ startingOffsets: "earliest", maxFramesPerTrigger: 7 })
    .map((frame: Frame) => {
      const { offset, timestamp } = frame;
      return { ...frame, result: { frames: [{ offset, timestamp, objects: objectsOf(offset) }] } };
    })
    .process(track({ keepOthers: false }))
    .process(zones(PLACES))
    .writeStream(events()),
);
