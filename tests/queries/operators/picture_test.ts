import assert from "node:assert/strict";
import { mergeResults } from "../../../queries/operators/picture.ts";
import type { Result } from "../../../runtime/mod.ts";

const box = [0, 0, 8, 8] as const;
const cat = { label: "cat", score: 0.5, box }, dog = { label: "dog", score: 0.6, box };

Deno.test("findings of several operators on the same frames are together, by name and by offset", () => {
  const before: Result = {
    scores: { motion: 0.1, cat: 0.2 },
    frames: [
      { offset: 4, timestamp: 40, objects: [cat], scores: { a: 1, b: 1 }, data: { x: 1 } },
      { offset: 6, timestamp: 60 },
    ],
    zones: { door: 1 },
    counts: { line: { in: 1, out: 0 } },
    data: { gate: true, note: "old" },
  };
  const added: Result = {
    inferMs: 3,
    scores: { cat: 0.5 },
    frames: [
      { offset: 6, timestamp: 60, scores: { a: 3 } },
      { offset: 5, timestamp: 50, objects: [] },
      { offset: 4, timestamp: 40, objects: [dog], scores: { b: 2 }, data: { y: 2 } },
    ],
    zones: { yard: 2 },
    counts: { line: { in: 2, out: 1 } },
    data: { note: "new" },
  };
  assert.deepEqual(mergeResults(before, added), {
    inferMs: 3,
    scores: { motion: 0.1, cat: 0.5 },
    frames: [
      {
        offset: 4,
        timestamp: 40,
        objects: [cat, dog],
        scores: { a: 1, b: 2 },
        data: { x: 1, y: 2 },
      },
      { offset: 5, timestamp: 50, objects: [] },
      { offset: 6, timestamp: 60, scores: { a: 3 } },
    ],
    zones: { door: 1, yard: 2 },
    counts: { line: { in: 2, out: 1 } },
    data: { gate: true, note: "new" },
  });
  assert.deepEqual(mergeResults(before, {}), before);
  assert.deepEqual(mergeResults({}, added), added);
});
