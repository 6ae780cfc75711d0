/** What one camera's frames, operators and sinks do wrong costs that camera alone. */
import assert from "node:assert/strict";
import { assertSame, neighbours } from "./neighbours.ts";

/** Each that does wrong is named. */
const NAMED = [
  /PARTITION-9 blocks its thread/,
  /PARTITION-10 blocks its thread/,
  /PARTITION-11 puts an input aside: Operator map\(gauge\) .* offset 7: Cannot read gauge \(tests\/support\/queries\/neighbours.ts:\d+:\d+\)/,
  /PARTITION-12: Operator map\(later\) has not ended/,
  /PARTITION-13 puts an input aside: Operator map\(.*\) .*Cannot/,
  /PARTITION-14: An error that nothing caught: A promise that was forgotten/,
  /PARTITION-14: An error that nothing caught: null was thrown/,
  /PARTITION-14 .*Cannot register a timer of alarm at NaN/,
  /PARTITION-15 failed: Operator map\(gauge\) .* offset 7: Executor .* was ended from within/,
];

Deno.test("eight cameras that do wrong leave the outputs of eight others byte for byte as they were", async () => {
  const undisturbed = await neighbours({ frames: 60, executors: 2 });
  const disturbed = await neighbours({
    frames: 60,
    executors: 2,
    evil: true,
    until: ({ said }) => NAMED.every((name) => said.some((line) => name.test(line))),
  });
  assertSame(disturbed, undisturbed);
  const error = disturbed.errors.find(({ partition }) => partition === 11)!;
  assert.equal(error.operator, "map(gauge)");
  assert.equal(error.offset, 7);
  assert.equal(error.file, "tests/support/queries/neighbours.ts");
});
