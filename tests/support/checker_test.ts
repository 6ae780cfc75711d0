/** The checker sees every kind of fault, and nothing where there is none. */
import assert from "node:assert/strict";
import { judge, type Marked, markedRecords, markOf } from "./checker.ts";

const frames = markedRecords(1, 5).map(markOf);
const others = markedRecords(2, 3).map(markOf);
const counts = (seen: readonly Marked[]) => {
  const { lost, doubled, reordered, changed } = judge([...frames, ...others], seen);
  return [lost, doubled, reordered, changed];
};
const [a, b, c, d, e] = frames as [Marked, Marked, Marked, Marked, Marked];

for (
  const [what, seen, verdict] of [
    ["all in order", [...frames, ...others], [0, 0, 0, 0]],
    ["two cameras mixed", [a, others[0]!, b, others[1]!, c, others[2]!, d, e], [0, 0, 0, 0]],
    ["one missing", [a, b, d, e, ...others], [1, 0, 0, 0]],
    ["the last missing", [a, b, c, d, ...others], [1, 0, 0, 0]],
    ["one twice", [a, b, b, c, d, e, ...others], [0, 1, 0, 0]],
    ["one again later", [a, b, c, d, e, ...others, b], [0, 1, 0, 0]],
    ["two swapped", [a, c, b, d, e, ...others], [0, 0, 1, 0]],
    ["other bytes", [a, { ...b, sha256: c.sha256 }, c, d, e, ...others], [0, 0, 0, 1]],
    ["never published", [...frames, ...others, { ...e, seq: 9 }], [0, 0, 0, 1]],
    ["nothing at all", [], [8, 0, 0, 0]],
  ] as const
) {
  Deno.test(`checker: ${what}`, () => assert.deepEqual(counts(seen), verdict));
}

Deno.test("checker: a record's own sum is not believed", () => {
  const [record] = markedRecords(1, 1);
  const value = record!.value.slice();
  value[100]! ^= 1;
  assert.equal(judge([markOf(record!)], [markOf({ ...record!, value })]).changed, 1);
});
