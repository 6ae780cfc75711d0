/** Metrics of a query's own, and timers that go by capture times. */
import assert from "node:assert/strict";
import type { Frame } from "../../../runtime/definition/frame.ts";
import type { StreamingQueryProgress } from "../../../runtime/definition/progress.ts";
import { query } from "../../../runtime/definition/query.ts";
import { ObservedMetrics } from "../../../runtime/engine/observed.ts";
import { QueryMetrics } from "../../../runtime/driver/metrics.ts";
import { LagMeter } from "../../../runtime/driver/lag.ts";
import { newCells } from "../../../runtime/executor/protocol.ts";
import { StreamingQuery } from "../../../runtime/driver/streaming_query.ts";
import type { TimeMode } from "../../../runtime/operators/state.ts";
import {
  ABORT,
  addFrames,
  advanceClock,
  checkAnswer,
  collect,
  FakeClock,
  runScript,
  startQuery,
  startStream,
  testStream,
} from "../../../runtime/testing.ts";
import { managerOf } from "../../support/manager.ts";
import { logOf } from "./kit.ts";

Deno.test("observed metrics are those since the last report", async () => {
  const progress: StreamingQueryProgress[] = [];
  const running = startQuery(
    query("q").readStream({ startingOffsets: "earliest", maxFramesPerTrigger: 2 })
      .observe("seen", {
        frames: "count",
        offsets: { sum: ({ offset }) => offset },
        mean: { avg: ({ offset }) => offset },
        first: { min: ({ offset }) => offset },
        last: { max: ({ offset }) => offset },
        odd: { max: ({ offset }) => offset === 1 ? 1 : NaN },
      })
      .writeStream(collect<Frame>()).trigger("available-now"),
    { log: logOf(4), onProgress: (one) => void progress.push(one) },
  );
  await running.ended;
  assert.deepEqual(progress.map(({ observedMetrics }) => observedMetrics), [
    { seen: { frames: 2, offsets: 1, mean: 0.5, first: 0, last: 1, odd: 1 } },
    { seen: { frames: 2, offsets: 5, mean: 2.5, first: 2, last: 3 } },
  ]);
});

Deno.test("observed metrics are on the page of metrics: counters where they add up", async () => {
  const offsets = () => Promise.resolve({ earliest: 0, latest: 0 });
  const reader = () => Promise.reject(new Error("There is nothing to read"));
  const metrics = new QueryMetrics(managerOf(), new LagMeter({ offsets, reader }, new FakeClock()));
  const handle = new StreamingQuery("q", "VideoStreaming", 0, {
    stop: () => Promise.resolve(),
    explain: () => "",
    latestOffset: () => Promise.resolve(0),
    cells: newCells(),
  });
  for (const value of [2, 3]) {
    metrics.observe(handle, {
      endToEnd: [],
      processing: [],
      sinkWrites: {},
      observed: [
        { name: "seen", metric: "frames", value, counts: true },
        { name: "seen", metric: "last", value, counts: false },
      ],
    });
  }
  const page = await metrics.text();
  assert.match(page, /framelane_observed_seen_frames_total\{[^}]*query="q"\} 5/);
  assert.match(page, /framelane_observed_seen_last\{[^}]*query="q"\} 3/);
});

Deno.test("names and metrics that are none are refused together", () => {
  const stream = query("q").readStream();
  assert.throws(
    () => stream.observe("no name", { "a-b": "count", c: "often" as "count" }),
    /name: expected letters.*a-b: expected a name.*c: expected "count", or a function/,
  );
  assert.throws(() => stream.observe("a", {}), /expected metrics such as/);
  const twice = stream.observe("a", { frames: "count" }).observe("a", { frames: "count" });
  assert.throws(
    () => twice.writeStream(collect<Frame>()),
    /two steps with metrics are named "observe\(a\)"/,
  );
});

/** Tells when nothing was captured, or came, for five seconds. */
const silence = (timeMode: TimeMode) => (sink: ReturnType<typeof collect<string>>) =>
  query("q").readStream({ startingOffsets: "earliest" })
    .transformWithState<{ last: number }, string>({
      name: "silence",
      timeMode,
      init: () => ({ last: -1 }),
      handleInput(state, frame, timers) {
        for (const time of timers.list()) timers.delete(time);
        state.last = frame.offset;
        timers.register(frame.timestamp + 5_000);
        return [`${frame.offset}`];
      },
      handleExpiredTimer: ({ last }, time) => [`silent since ${last} at ${time}`],
    }).writeStream(sink);

Deno.test("metrics that an operator of one's own makes up are refused in its lane, not where all are measured", () => {
  const one = { metric: "seen", kind: "count", total: 1, count: 1 } as const;
  const bad = [
    { ...one, metric: "bad name" },
    { ...one, metric: 'x"} 1' },
    { ...one, total: NaN },
    { ...one, count: "1" as unknown as number },
    { ...one, kind: "median" as "avg" },
  ];
  for (const metric of bad) {
    assert.throws(
      () => new ObservedMetrics().add([{ name: "mine", metrics: [metric] }]),
      /Cannot observe .*: expected/,
    );
  }
  const metrics = new ObservedMetrics();
  const add = (i: number) =>
    metrics.add([{ name: "mine", metrics: [{ ...one, metric: `m${i}` }] }]);
  for (let i = 0; i < 200; i++) add(i);
  assert.equal(metrics.take().length, 200);
  assert.throws(() => add(200), /expected at most 200 metrics/);
});

Deno.test("event-time timers go by the footage's clock, whatever the machine's says", async () => {
  const text = (output: string) => output;
  const expected = ["0", "1", "silent since 1 at 6000", "2"];
  await testStream<string>(silence("event"), [
    addFrames(0, 1_000, 20_000),
    startStream(),
    advanceClock(600_000),
    checkAnswer(expected, text),
  ]);
  const outputs = await runScript<string>(silence("event"), [0, 1_000, ABORT, 20_000]);
  assert.deepEqual(outputs, expected);
  assert.throws(
    () => silence("wall" as "event")(collect<string>()),
    /expected processing or event/,
  );
});
