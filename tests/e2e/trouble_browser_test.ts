/** What goes wrong around a real wall is said where it is; `deno task test:wall` measures all kinds of it. */
import assert from "node:assert/strict";
import { measureTroubles } from "../support/wall_troubles.ts";

/** Those that are left to the trial: they take processes of their own, or more time. */
const IN_THE_TRIAL = /SIGKILL|camera held|clock|log's folder/;

Deno.test("a real wall says what is wrong with cameras, queries and runtime, and heals", async () => {
  const truths = await measureTroubles((kind) => !IN_THE_TRIAL.test(kind));
  assert.deepEqual(truths.map(({ kind }) => kind).toSorted(), [
    "camera gone from the network",
    "camera refuses the password",
    "camera removed",
    "film ended",
    "query fails again and again",
    "query holds its thread",
    "runtime and viewer held (SIGSTOP)",
  ]);
});
