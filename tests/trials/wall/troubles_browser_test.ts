/** How long it takes until a real wall says what is wrong, for each kind of trouble: 3 s at most. */
import assert from "node:assert/strict";
import { say } from "../../support/trial_report.ts";
import { canFakeTime } from "../../support/faketime.ts";
import { measureTroubles } from "../../support/wall_troubles.ts";

/** Longest that an operator may be misled, milliseconds. */
const GOAL_MS = 3_000;

Deno.test("every kind of trouble is known everywhere within three seconds", async () => {
  const truths = await measureTroubles((kind) => canFakeTime() || !kind.includes("clock"));
  for (const { kind, ms } of truths) say(`| ${kind} | ${(ms / 1000).toFixed(1)} s |`);
  assert.deepEqual(truths.filter(({ ms }) => ms > GOAL_MS), []);
});
