/** What becomes of lanes, with executors that do nothing by themselves. */
import assert from "node:assert/strict";
import type { QueryErrorEvent, StreamingQueryListener } from "../../../runtime/driver/manager.ts";
import { CELL, type PlainError } from "../../../runtime/executor/protocol.ts";
import { NO_TOTALS } from "../../../runtime/definition/progress.ts";
import { settle } from "../../../runtime/testing.ts";
import { fakeLanes, MEMBERSHIP, TOTALS } from "./fake_lane.ts";

Deno.test("listeners hear of the error of each run that failed, and of the last end without one", async () => {
  const { clock, streams, begin, running, started, stopped } = fakeLanes();
  const ends: Parameters<NonNullable<StreamingQueryListener["onQueryTerminated"]>>[0][] = [];
  streams.addListener({ onQueryTerminated: (event) => void ends.push(event) });
  const lane = begin();
  started();
  stopped({ name: "Error", message: "away", retryable: true });
  const [handle] = streams.all;
  assert.equal(handle!.state, "restarting");
  await clock.advance(5_000);
  assert.equal(running.length, 2);
  started();
  await lane.end("drain");
  assert.equal(handle!.state, "stopped");
  assert.match(handle!.exception!.message, /away/);
  assert.deepEqual(ends.map(({ exception }) => exception), [
    "q QUERY-PARTITION-3: away",
    undefined,
  ]);
  assert.notEqual(ends[0]!.runId, ends[1]!.runId);
});

Deno.test("a partition that moved away leaves no gauge behind, but its counts", async () => {
  const { streams, metrics, begin, started, progressed } = fakeLanes();
  const lane = begin(MEMBERSHIP);
  started();
  progressed();
  const gauge =
    /framelane_(source_lag_frames|query_state|checkpoint_age_seconds|camera_last_frame\w+)\{/g;
  assert.equal((await metrics.text()).match(gauge)?.length, 4);
  await lane.end("move");
  assert.equal(streams.all[0]!.moved, true);
  assert.equal((await metrics.text()).match(gauge), null);
  assert.match(await metrics.text(), /framelane_frames_consumed_total\{[^}]*\} 7/);
  begin(MEMBERSHIP);
  started();
  progressed();
  assert.equal(streams.all[0]!.moved, false);
  assert.equal((await metrics.text()).match(gauge)?.length, 4);
  assert.match(await metrics.text(), /framelane_frames_consumed_total\{[^}]*\} 14/);
  assert.equal(streams.all[0]!.totals.frames, 14);
  for (const [reason, count] of [["overload", 2], ["lost", 6], ["no-keyframe", 4]]) {
    assert.match(
      await metrics.text(),
      new RegExp(`framelane_frames_dropped_total\\{[^}]*reason="${reason}"\\} ${count}\\n`),
    );
  }
});

Deno.test("what a run commits after its last report is counted, also when its executor is given up", async () => {
  const { streams, begin, running, counting, started, progressed } = fakeLanes();
  const lane = begin();
  started();
  progressed();
  lane.onStranded("its executor is held", "other");
  // It had been committing just then.
  counting[0]!({ ...TOTALS, frames: 9, outputs: 8 });
  await settle();
  assert.equal(running.length, 2);
  counting[1]!({ ...NO_TOTALS, frames: 5, outputs: 5, deadLettered: 1 });
  const { frames, outputs, deadLettered } = streams.all[0]!.totals;
  assert.deepEqual([frames, outputs, deadLettered], [14, 13, 1]);
});

Deno.test("a camera that changes its name with each frame adds no series without end", async () => {
  const { metrics, begin, started, progressed } = fakeLanes();
  begin(MEMBERSHIP);
  started();
  for (let i = 0; i < 100; i++) progressed(`camera ${i} ${"x".repeat(10_000)}`);
  const text = await metrics.text();
  const names = new Set([...text.matchAll(/camera="([^"]*)"/g)].map(([, name]) => name));
  assert.ok(names.size <= 9 && names.has("CAMERA-4"), [...names].join());
  assert.ok(text.length < 200_000);
});

Deno.test("what keeps a lane from reading is counted each time, told once, and forgotten when it has passed", async () => {
  const told: string[] = [];
  const { streams, metrics, begin, started } = fakeLanes({
    report: (line) => told.push(line),
  });
  const lane = begin();
  started();
  const [handle] = streams.all;
  const problem = { reason: "KAFKA_STORAGE_ERROR", message: "The disk is broken" };
  for (let i = 0; i < 3; i++) lane.onMessage({ type: "problem", lane: 1, problem });
  assert.equal(handle!.trouble, problem.message);
  assert.equal(told.filter((line) => line.includes(problem.message)).length, 1);
  const text = await metrics.text();
  assert.match(text, /framelane_log_problems_total\{[^}]*reason="KAFKA_STORAGE_ERROR"\} 3/);
  lane.onMessage({ type: "problem", lane: 1 });
  assert.equal(handle!.trouble, undefined);
});

Deno.test("everybody who waits for the end of a lane hears of it", async () => {
  const { begin, started, stopped } = fakeLanes();
  const lane = begin();
  started();
  const waiting = [lane.ended, lane.ended];
  assert.equal(lane.isOver, false);
  stopped();
  await Promise.all(waiting);
  assert.equal(lane.isOver, true);
});

const FAILED: PlainError = {
  name: "OperatorError",
  message: "Operator gauge failed",
  retryable: false,
  failed: { operator: "gauge", offset: 7, tries: 3, why: "no gauge" },
  place: { file: "gauge.ts", line: 4, column: 2 },
};

Deno.test("an input that three runs failed on is a dead letter for the fourth", async () => {
  const { clock, streams, begin, running, started, stopped, deadInputs } = fakeLanes();
  const errors: QueryErrorEvent[] = [];
  streams.addListener({ onQueryError: (event) => void errors.push(event) });
  const lane = begin();
  for (let run = 1; run <= 3; run++) {
    started();
    stopped(FAILED);
    await clock.advance(5_000);
    assert.equal(running.length, run + 1);
  }
  assert.deepEqual(deadInputs(), [{ operator: "gauge", offset: 7, message: "no gauge" }]);
  started();
  const [{ runId: _, timestamp: __, ...event }] = errors as [QueryErrorEvent];
  assert.deepEqual(event, {
    query: "q",
    name: "QUERY-PARTITION-3",
    id: "id",
    topic: "VideoStreaming",
    partition: 3,
    camera: "CAMERA-4",
    action: "restart",
    error: "OperatorError",
    message: FAILED.message,
    operator: "gauge",
    offset: 7,
    file: "gauge.ts",
    line: 4,
    column: 2,
  });
  await lane.end("drain");
});

Deno.test("an input that fails although it is a dead letter does not restart in a tight loop", async () => {
  const { clock, begin, running, started, stopped } = fakeLanes();
  const lane = begin();
  for (let run = 1; run <= 6; run++) {
    started();
    stopped(FAILED);
    if (run <= 3) await clock.advance(5_000);
  }
  // After the fourth failure it waits.
  assert.equal(running.length, 4);
  await lane.end("drain");
});

Deno.test("a query that ends while it waits for its restart does not start again", async () => {
  const { clock, begin, running, seated, stopped } = fakeLanes();
  const lane = begin();
  assert.deepEqual([...seated], [1]);
  stopped(FAILED);
  assert.deepEqual([...seated], []);
  await lane.end("drain");
  await clock.advance(60_000);
  assert.deepEqual(running, [1]);
});

Deno.test("a query that a listener ends when it hears of a failure does not start again", async () => {
  for (const method of ["onQueryError", "onQueryTerminated"] as const) {
    for (const delayed of [true, false]) {
      const { clock, begin, running, streams, metrics, started, stopped } = fakeLanes();
      streams.addListener({ [method]: () => void streams.all[0]!.stop() });
      const lane = begin();
      started();
      stopped(delayed ? { name: "Error", message: "away", retryable: true } : FAILED);
      await clock.advance(60_000);
      assert.deepEqual([running, streams.all[0]!.state], [[1], "stopped"]);
      assert.equal(lane.isOver, true);
      assert.doesNotMatch(await metrics.text(), /framelane_query_restarts_total\{.*\} [1-9]/);
    }
  }
});

Deno.test("a lane whose executor died starts elsewhere, each time later; one that ends is gone with it", async () => {
  const { clock, begin, running, streams, started } = fakeLanes({ deaf: true });
  const lane = begin();
  for (const [run, delay] of [100, 200, 400].entries()) {
    started();
    lane.onStranded("it died", "death");
    await clock.advance(delay - 1);
    // Nor may the run before commit any more.
    assert.deepEqual([running.length, streams.all[0]!.cells[CELL.run]], [run + 1, 0n]);
    await clock.advance(1);
    assert.equal(running.length, run + 2);
  }
  started();
  const ending = lane.end("drain");
  lane.onStranded("it died", "death");
  await ending;
  assert.equal(streams.all[0]!.state, "stopped");
});

Deno.test("a run whose thread ended in a function of a sink leaves no mark of it to the next run", async () => {
  const { clock, begin, streams, started } = fakeLanes();
  const lane = begin();
  started();
  const { cells } = streams.all[0]!;
  for (const cell of [CELL.active, CELL.sink]) Atomics.store(cells, cell, 1n);
  lane.onStranded("it died", "death");
  await clock.advance(1_000);
  started();
  assert.deepEqual([lane.mayMove, streams.all[0]!.status.isTriggerActive], [true, false]);
  await lane.end("drain");
});

Deno.test("a query does not start beside its own run that was given up", async () => {
  const reports: string[] = [];
  const { clock, begin, running, started, stopped } = fakeLanes({
    deaf: true,
    report: (line) => reports.push(line),
  });
  const lane = begin();
  started();
  const ending = lane.end("drain");
  await clock.advance(5_000);
  await ending;
  assert.match(reports.join(), /abandoned after 5 s: its run is still running/);
  begin();
  await settle();
  assert.deepEqual(running, [1]);
  stopped();
  await settle();
  assert.deepEqual(running, [1, 2]);
});

Deno.test("a query waits 30 s for a run that was given up, and for a function of its sink until it ends", async () => {
  for (const inFunction of [false, true]) {
    const { clock, begin, running, seated, streams, started, stopped } = fakeLanes({ deaf: true });
    const lane = begin();
    started();
    Atomics.store(streams.all[0]!.cells, CELL.sink, inFunction ? 1n : 0n);
    const ending = lane.end("drain");
    await clock.advance(5_000);
    await ending;
    // Else the pool would take it out of a held executor, and the next run would begin beside it.
    assert.equal(lane.mayMove, !inFunction);
    begin();
    await clock.advance(30_000);
    assert.deepEqual(running, inFunction ? [1] : [1, 2]);
    assert.deepEqual([...seated], inFunction ? [1] : [2]);
    stopped();
    await settle();
    assert.deepEqual(running, [1, 2]);
  }
});
