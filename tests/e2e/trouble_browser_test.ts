/** What goes wrong around a real wall is said where it is; `deno task test:wall` measures all kinds of it. */
import assert from "node:assert/strict";
import { measureTroubles } from "../support/wall_troubles.ts";

/** Those of the trial that take a process of their own each. */
const IN_THE_TRIAL = /SIGKILL|camera held|clock/;

Deno.test("a real wall says what is wrong with cameras, queries, runtime and log, and heals", async () => {
  const truths = await measureTroubles((kind) => !IN_THE_TRIAL.test(kind));
  assert.deepEqual(truths.map(({ kind }) => kind).toSorted(), [
    "camera gone from the network",
    "camera refuses the password",
    "camera removed",
    "film ended",
    "log's folder deleted",
    "query fails again and again",
    "query holds its thread",
    "runtime and viewer held (SIGSTOP)",
  ]);
});
