/** A changed query on the checkpoint of the one before: state goes by the names of steps. */
import assert from "node:assert/strict";
import type { Frame, Window } from "../../../runtime/definition/frame.ts";
import { query, type QueryDefinition, type Stream } from "../../../runtime/definition/query.ts";
import type { StateProcessor } from "../../../runtime/operators/state.ts";
import { display } from "../../../runtime/sinks/display.ts";
import { foreachBatch } from "../../../runtime/sinks/foreach.ts";
import { windowOperator } from "../../../runtime/windows/window_operator.ts";
import type { WindowOptions } from "../../../runtime/windows/window_options.ts";
import {
  collect,
  FakeClock,
  type MemoryLog,
  type RunningQuery,
  runQuery,
  settle,
  startQuery,
} from "../../../runtime/testing.ts";
import { append, logOf } from "./kit.ts";

/** Counts what passes, and notes the count on the frame under its own name. */
function counter(name: string, step = 1): StateProcessor<{ n: number }, Frame, Frame> {
  return {
    name,
    init: () => ({ n: 0 }),
    handleInput: (state, frame) => {
      state.n += step;
      const scores = { ...frame.result?.scores, [name]: state.n };
      return [{ ...frame, result: { scores } }];
    },
  };
}

type Steps = (stream: Stream<Frame>) => Stream<Frame>;
const identity = (definition: QueryDefinition) => definition;

/** Four frames by one query, then four by another one on its checkpoint. */
async function inTwoVersions(
  before: Steps,
  after: Steps,
  settings: (definition: QueryDefinition) => QueryDefinition = identity,
): Promise<{ scores: unknown[]; reports: string[]; log: MemoryLog }> {
  const log = logOf(4);
  const first = query("q").readStream({ startingOffsets: "earliest" });
  await runQuery(before(first).writeStream(collect()).trigger("available-now"), { log });
  append(log, 4, 4);
  const { outputs, reports } = await lastRun(log, after, settings);
  return { scores: outputs.map(({ result }) => result?.scores), reports, log };
}

async function lastRun(
  log: MemoryLog,
  steps: Steps,
  settings: (definition: QueryDefinition) => QueryDefinition = identity,
): Promise<{ outputs: readonly Frame[]; reports: string[] }> {
  const sink = collect<Frame>();
  const stream = steps(query("q").readStream({ startingOffsets: "earliest" }));
  const running: RunningQuery = startQuery(
    settings(stream.writeStream(sink).trigger("available-now")),
    { log },
  );
  await running.ended;
  return { outputs: sink.outputs, reports: running.reports };
}

const last = (scores: readonly unknown[]) => scores.at(-1);

Deno.test("a filter put before a step leaves it its state", async () => {
  const { scores } = await inTwoVersions(
    (frames) => frames.transformWithState(counter("count")),
    (frames) => frames.filter(() => true).transformWithState(counter("count")),
  );
  assert.deepEqual(last(scores), { count: 8 });
});

Deno.test("two steps that change places keep their own state", async () => {
  const { scores } = await inTwoVersions(
    (frames) => frames.transformWithState(counter("a")).transformWithState(counter("b", 10)),
    (frames) => frames.transformWithState(counter("b", 10)).transformWithState(counter("a")),
  );
  assert.deepEqual(last(scores), { a: 8, b: 80 });
});

Deno.test("a step that is new begins without state, and that is reported", async () => {
  const { scores, reports } = await inTwoVersions(
    (frames) => frames.transformWithState(counter("a")),
    (frames) => frames.transformWithState(counter("a")).transformWithState(counter("b")),
  );
  assert.deepEqual(last(scores), { a: 8, b: 4 });
  assert.match(reports.join(), /step b is new and begins without state/);
});

Deno.test("state that no step has a name for stops the query, which says what changed", async () => {
  const gone = (frames: Stream<Frame>) => frames.transformWithState(counter("total"));
  await assert.rejects(
    inTwoVersions((frames) => frames.transformWithState(counter("count")), gone),
    (error: Error & { code?: string }) => {
      assert.equal(error.code, "CHECKPOINT_CHANGED");
      assert.match(error.message, /named "count", and the query has "total".*dropState\("count"\)/);
      return true;
    },
  );
  const { scores, reports } = await inTwoVersions(
    (frames) => frames.transformWithState(counter("count")),
    gone,
    (definition) => definition.dropState("count"),
  );
  assert.deepEqual(last(scores), { total: 4 });
  assert.match(reports.join(), /the state of step count is dropped/);
});

Deno.test("an explicit name gives a renamed step its state", async () => {
  const { scores } = await inTwoVersions(
    (frames) => frames.transformWithState(counter("count")),
    (frames) => frames.transformWithState(counter("total"), { name: "count" }),
  );
  assert.deepEqual(last(scores), { total: 8 });
});

Deno.test('state: "drop" lets go of a state once', async () => {
  const drop = (frames: Stream<Frame>) =>
    frames.transformWithState(counter("count"), { state: "drop" });
  const { scores, log } = await inTwoVersions(
    (frames) => frames.transformWithState(counter("count")),
    drop,
  );
  assert.deepEqual(last(scores), { count: 4 });
  append(log, 2, 8);
  const { outputs } = await lastRun(log, drop);
  assert.deepEqual(outputs.at(-1)!.result?.scores, { count: 6 });
});

Deno.test("windows that are cut otherwise begin after the commit, and that is reported", async () => {
  const cut = (frames: number) => (stream: Stream<Frame>) =>
    stream.process(windowOperator({ frames })).map((window) => ({
      ...window.frames[0]!,
      result: { scores: { first: window.firstOffset, frames: window.frames.length } },
    }));
  const { scores, reports } = await inTwoVersions(cut(3), cut(2));
  assert.deepEqual(scores, [{ first: 4, frames: 2 }, { first: 6, frames: 2 }]);
  assert.match(reports.join(), /step window\(frames=3\) is gone/);
});

Deno.test("windows that keep their name begin at once, however they were cut before", async () => {
  // Of ten frames a second: how they were cut, how they are, and where the first two then begin.
  const changes: [WindowOptions, WindowOptions, number[]][] = [
    [{ frames: 4, fps: 10 }, { frames: 4, fps: 2 }, [99, 119]],
    [{ frames: 4, fps: 2 }, { frames: 4, fps: 10 }, [99, 103]],
    [{ durationMs: 1000, fps: 10 }, { durationMs: 1000, fps: 2 }, [90, 100]],
    [{ durationMs: 1000, hopMs: 100_000 }, { durationMs: 2000 }, [100, 110]],
  ];
  for (const [before, after, begin] of changes) {
    const log = logOf(100);
    const run = async (options: WindowOptions) => {
      const sink = collect<Window>();
      const definition = query("cut").readStream({ startingOffsets: "earliest" })
        .window(options, { name: "cut" }).writeStream(sink).trigger("available-now");
      await runQuery(definition, { log });
      return sink.outputs;
    };
    await run(before);
    append(log, 60, 100);
    const windows = await run(after);
    assert.deepEqual(windows.slice(0, 2).map(({ firstOffset }) => firstOffset), begin);
  }
});

Deno.test("a checkpoint that kept state by position is read, unless the steps are others", async () => {
  const steps: Steps = (frames) => frames.transformWithState(counter("count"));
  const old = async (others = {}) => {
    const { log } = await inTwoVersions(steps, steps);
    const committer = await log.committer({
      group: "test",
      query: "q",
      topic: "VideoStreaming",
      partition: 0,
    });
    const { batchId, end, state } = committer.committed!;
    const saved = JSON.parse(new TextDecoder().decode(state!));
    const { stages } = JSON.parse(saved.pipeline);
    saved.pipeline = JSON.stringify({
      stages: stages.map(({ restart, state }: { restart: null; state: string }) => ({
        restart,
        state,
        ...others,
      })),
    });
    delete saved.writer;
    const next = { batchId: batchId + 1, start: end, end };
    await committer.plan(next);
    await committer.commit(next, {
      end,
      restart: end,
      state: new TextEncoder().encode(JSON.stringify(saved)),
    }, []);
    append(log, 1, 8);
    return log;
  };
  const { outputs } = await lastRun(await old(), steps);
  assert.deepEqual(outputs.at(-1)!.result?.scores, { count: 9 });
  await assert.rejects(
    lastRun(await old(), (frames) => steps(frames.filter(() => true))),
    /an earlier version wrote its checkpoint by the positions of 1 steps/,
  );
  const stateless = await old({ state: null, aside: [2] });
  const { outputs: later } = await lastRun(stateless, (frames) => steps(frames.filter(() => true)));
  assert.deepEqual(later.at(-1)!.result?.scores, { count: 1 });
});

Deno.test("two steps with state and one name are refused when the query is defined", () => {
  const stream = query("q").readStream().transformWithState(counter("count"))
    .transformWithState(counter("count"));
  assert.throws(
    () => stream.writeStream(collect<Frame>()),
    /two steps with state are named "count"/,
  );
  assert.throws(
    () => query("q").readStream().map((frame) => frame).process(silent(), { name: "" }),
    /name: expected text that is not empty, given ""/,
  );
});

function silent() {
  return { name: "silent", open: () => ({ process: () => [] }) };
}

Deno.test("state that JSON does not give back is refused at the first commit, by its path", async () => {
  class Box {}
  for (
    const [value, fault] of [
      [{ seen: new Map() }, "state.seen is a Map"],
      [{ list: [1, { at: new Date() }] }, "state.list[1].at is a Date"],
      [{ n: NaN }, "state.n is NaN"],
      [{ list: [undefined] }, "state.list[0] is undefined"],
      [{ big: 1n }, "state.big is a bigint"],
      [{ box: new Box() }, "state.box is a Box"],
      [{ bytes: new Uint8Array(2) }, "state.bytes is a Uint8Array"],
    ] as const
  ) {
    const sink = collect<Frame>();
    const definition = query("q").readStream({ startingOffsets: "earliest" })
      .transformWithState<unknown, Frame>({
        name: "count",
        init: () => value,
        handleInput: (_, frame) => [frame],
      }).writeStream(sink).trigger("available-now");
    await assert.rejects(runQuery(definition, { log: logOf(2) }), (error: Error) => {
      assert.ok(error.message.includes(`the state of count: ${fault};`), error.message);
      return true;
    });
    assert.deepEqual(sink.outputs, [], fault);
  }
});

Deno.test("a batch that was planned for another sink is committed alone, also by a live view", async () => {
  const log = logOf(3);
  log.fail = (point) => {
    if (point === "before-commit") throw new Error("killed");
  };
  const stream = () => query("changed").readStream({ startingOffsets: "earliest" });
  await assert.rejects(runQuery(stream().writeStream(foreachBatch(() => {})), { log }), /killed/);
  log.fail = () => {};
  append(log, 2, 3);
  const running = startQuery(stream().writeStream(display()), {
    log,
    clock: new FakeClock(1_000_000),
  });
  await settle();
  running.stop();
  const { frames } = await running.ended;
  assert.equal(frames, 5);
});

Deno.test("a removed step without state is no change to report", async () => {
  const { scores, reports } = await inTwoVersions(
    (stream) => stream.map((frame) => frame).transformWithState(counter("a")),
    (stream) => stream.transformWithState(counter("a")),
  );
  assert.deepEqual(scores.at(-1), { a: 8 });
  assert.deepEqual(reports, []);
});
