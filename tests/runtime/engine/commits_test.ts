/** Batches that wait to be committed. */
import assert from "node:assert/strict";
import { Commits } from "../../../runtime/engine/commits.ts";
import type { Opened } from "../../../runtime/engine/opened.ts";
import type { ExecutionOptions } from "../../../runtime/engine/options.ts";
import { FakeClock } from "../../../runtime/testing.ts";

Deno.test("a range that was given to a sink stays as it is while its batch grows", () => {
  const opened = { committer: { committed: undefined } } as Opened;
  const options = { clock: new FakeClock(), plan: { sinks: [] } } as unknown as ExecutionOptions;
  const events = {
    onBegin: () => assert.fail("Nothing is committed"),
    onCommitted: () => {},
    onFailed: () => {},
  };
  const commits = new Commits(opened, options, new AbortController().signal, events);
  const first = { batchId: 0, start: 0, end: 5 };
  const batch = commits.batchOf(first);
  assert.equal(commits.batchOf({ batchId: 0, start: 5, end: 9 }), batch);
  assert.deepEqual([first.end, batch.range.end], [5, 9]);
});
