import assert from "node:assert/strict";
import { BacklogBar } from "../../cli/backlog_bar.ts";
import type { StreamingQueryProgress } from "../../runtime/definition/progress.ts";

function progress(id: string, start: number, end: number, latest: number): StreamingQueryProgress {
  const at = (offset: number) => ({ VideoStreaming: { [id]: offset } });
  return {
    id,
    sources: [{ startOffset: at(start), endOffset: at(end), latestOffset: at(latest) }],
  } as unknown as StreamingQueryProgress;
}

Deno.test("backlog bar: done of what there was when each partition began, over all of them", () => {
  const drawn: unknown[][] = [];
  let time = 0;
  const bar = new BacklogBar({ update: (...of) => void drawn.push(of), clear() {} }, () => time);
  time = 1_000;
  bar.progress(progress("0", 10, 20, 110));
  bar.progress(progress("1", 0, 50, 50));
  time = 2_000;
  // A camera publishes meanwhile: that is not of this run, neither as a goal nor as done.
  bar.progress(progress("0", 20, 130, 140));
  assert.deepEqual(drawn, [
    [10, 100, "10 of 100 frames, 10/s"],
    [60, 150, "60 of 150 frames, 60/s"],
    [150, 150, "150 of 150 frames, 75/s"],
  ]);
});
