/** What goes wrong around a real wall is said where it is; `deno task test:wall` measures all kinds of it. */
import assert from "node:assert/strict";
import { measureTroubles } from "../support/wall_troubles.ts";

const KINDS = [
  "camera refuses the password",
  "camera removed",
  "query fails again and again",
  "runtime and viewer held (SIGSTOP)",
];

Deno.test("a real wall says what is wrong with cameras, a query and the runtime, and heals", async () => {
  const truths = await measureTroubles((kind) => KINDS.includes(kind));
  assert.deepEqual(truths.map(({ kind }) => kind).toSorted(), KINDS);
});
