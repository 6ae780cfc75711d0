/** What a batch takes, by trigger, limits, overload policy and the end of the read. */
import assert from "node:assert/strict";
import { systemClock } from "../../../runtime/base/clock.ts";
import type { Frame, Window } from "../../../runtime/definition/frame.ts";
import type { Operator } from "../../../runtime/definition/operator.ts";
import { query } from "../../../runtime/definition/query.ts";
import type { ReadStreamOptions } from "../../../runtime/definition/source_options.ts";
import {
  addFrames,
  advanceClock,
  checkAnswer,
  collect,
  FakeClock,
  runQuery,
  settle,
  startQuery,
  startStream,
  stopStream,
  testStream,
} from "../../../runtime/testing.ts";
import { append, logOf, offsets, upTo } from "./kit.ts";

const all = (options: ReadStreamOptions = {}) =>
  query("all").readStream({ startingOffsets: "earliest", ...options });

/** Ranges of the batches of an interval of 1 s over ten frames, tick by tick. */
async function ticks(options: ReadStreamOptions, count: number, overload = "wait" as const) {
  const clock = new FakeClock(1_000_000);
  const sink = collect<Frame>();
  const running = startQuery(
    all(options).writeStream(sink).trigger("interval:1s").overload(overload),
    { log: logOf(10), clock },
  );
  const ranges: number[][][] = [];
  for (let i = 0; i < count; i++) {
    await (i === 0 ? settle() : clock.advance(1_000));
    ranges.push(sink.batches.splice(0).map(({ start, end }) => [start, end]));
  }
  running.stop();
  const totals = await running.ended;
  return { ranges, totals, outputs: offsets(sink.outputs) };
}

Deno.test("an interval takes as much as maxFramesPerTrigger at each tick", async () => {
  const { ranges } = await ticks({ maxFramesPerTrigger: 4 }, 4);
  assert.deepEqual(ranges, [[[0, 4]], [[4, 8]], [[8, 10]], []]);
});

Deno.test("an interval waits for minFramesPerTrigger, no longer than maxTriggerDelay", async () => {
  const { ranges } = await ticks({
    maxFramesPerTrigger: 8,
    minFramesPerTrigger: 3,
    maxTriggerDelay: "3s",
  }, 5);
  assert.deepEqual(ranges, [[[0, 8]], [], [], [[8, 10]], []]);
});

Deno.test("an interval obeys the overload policy", async () => {
  const { outputs, totals } = await ticks({}, 2, "latest" as "wait");
  assert.deepEqual(outputs, [9]);
  assert.equal(totals.dropped, 9);
});

Deno.test("timers do not wait for minFramesPerTrigger, nor the end of available-now for frames", async () => {
  const silence = (stream: ReturnType<typeof all>) =>
    stream.transformWithState<{ last: number }, string>({
      name: "silence",
      init: () => ({ last: -1 }),
      handleInput: (state, frame, timers) => {
        state.last = frame.offset;
        if (frame.offset === 0) timers.register(1_005_000);
        return [`${frame.offset}`];
      },
      handleExpiredTimer: ({ last }) => [`silent since ${last}`],
    });
  const text = (output: string) => output;
  await testStream<string>(
    (sink) => silence(all({ minFramesPerTrigger: 2, maxTriggerDelay: "1m" })).writeStream(sink),
    [
      startStream(),
      addFrames(0, 100, 200),
      checkAnswer(["0", "1", "2"], text),
      addFrames(300),
      advanceClock(5_000),
      checkAnswer(["0", "1", "2", "silent since 2"], text),
      addFrames(400),
      checkAnswer(["0", "1", "2", "silent since 2", "3", "4"], text),
    ],
  );
  await testStream<string>((sink) => silence(all()).writeStream(sink).trigger("available-now"), [
    addFrames(0),
    startStream(),
    checkAnswer(["0"], text),
    advanceClock(5_000),
    startStream(),
    checkAnswer(["0", "silent since 0"], text),
  ]);
});

Deno.test("all timers that are due run at the end of a read and at each tick, however many", async () => {
  const alarms = (options?: ReadStreamOptions) =>
    all(options).transformWithState<{ set: number }, number>({
      name: "alarms",
      init: () => ({ set: 0 }),
      handleInput(state, _, timers) {
        for (let i = 0; i < 200; i++) timers.register(1_000_001 + state.set++);
        return [];
      },
      handleExpiredTimer: (_, time) => [time - 1_000_001],
    });
  const end = { endingOffsets: { VideoStreaming: { "0": 1 } } };
  for (
    const [trigger, options] of [["available-now"], ["interval:10s"], ["asap", end]] as const
  ) {
    await testStream<number>((sink) => alarms(options).writeStream(sink).trigger(trigger), [
      addFrames(0),
      startStream(),
      advanceClock(10_000),
      ...(trigger === "interval:10s" ? [] : [startStream()]),
      checkAnswer(upTo(200), (number) => number),
    ]);
  }
});

Deno.test("available-now ends where the clock is set back while timers run", async () => {
  let now = 1000;
  let asked = 0;
  const times = upTo(200);
  const alarms: Operator<Frame, Frame> = {
    name: "alarms",
    open: () => ({
      process: () => [],
      nextTimer() {
        if (++asked > 1000) throw new Error("asked for ever");
        return times[0];
      },
      onTimer() {
        if (times.shift() === 70) now = 0;
        return [];
      },
    }),
  };
  const clock = { ...systemClock, now: () => now };
  await runQuery(all().process(alarms).writeStream(collect()).trigger("available-now"), {
    log: logOf(1),
    clock,
  });
  assert.deepEqual(times, upTo(200).slice(128));
});

Deno.test("what sample leaves out is committed too", async () => {
  const sink = collect<Frame>();
  const log = logOf(42);
  const running = startQuery(
    all({ maxFramesPerTrigger: 1 }).writeStream(sink)
      .overload({ kind: "sample", maxLagFrames: 1, every: 4 }),
    { log },
  );
  await settle();
  const committed = async () => (await log.checkpoints())[0]!.committed?.end;
  while (await committed() !== 42) await settle();
  running.stop();
  const totals = await running.ended;
  assert.deepEqual(offsets(sink.outputs), [...upTo(41).filter((i) => i % 4 === 0), 41]);
  assert.equal(totals.dropped, 42 - sink.outputs.length);
});

Deno.test("what sample leaves out of a batch is dropped, and no gap", async () => {
  const log = logOf(40);
  const sink = collect<Frame>();
  const running = startQuery(
    all({ maxFramesPerTrigger: 10 }).writeStream(sink)
      .overload({ kind: "sample", maxLagFrames: 1, every: 4 }),
    { log },
  );
  const committed = async () => (await log.checkpoints())[0]?.committed?.end;
  while (await committed() !== 40) await settle();
  running.stop();
  const { dropped, gaps } = await running.ended;
  assert.deepEqual([dropped, gaps], [30, 0]);
});

Deno.test("latest keeps the newest frame, however small the batches are", async () => {
  for (const max of [1, 5, 64]) {
    const sink = collect<Frame>();
    const running = startQuery(
      all({ maxFramesPerTrigger: max }).writeStream(sink).overload("latest"),
      { log: logOf(200) },
    );
    await settle();
    running.stop();
    const totals = await running.ended;
    assert.deepEqual([offsets(sink.outputs), totals.dropped], [[199], 199], `${max} a batch`);
  }
});

Deno.test("what is dropped beyond a batch counts with the one that passes it", async () => {
  const running = startQuery(
    all({ minFramesPerTrigger: 3 }).window({ frames: 2, gap: "pad", silenceMs: 1000 })
      .writeStream(collect<Window>()).overload({ kind: "drop-oldest", maxLagFrames: 1 }),
    { log: logOf(10), clock: new FakeClock(1_000_000) },
  );
  await settle();
  running.stop();
  // Its last batch closes the windows, at the same offset: the ten come again.
  const { frames, dropped } = await running.ended;
  assert.deepEqual([frames, dropped], [0, 0]);
});

Deno.test("a read ends at endingOffsets and before endingTimestamp, whatever the trigger", async () => {
  const ends: ReadStreamOptions[] = [
    { endingOffsets: { VideoStreaming: { "0": 4 } } },
    { endingTimestamp: 1_400 },
    { endingTimestamp: 1_350 },
  ];
  for (const end of ends) {
    for (const trigger of ["asap", "available-now", "once", "interval:1s"] as const) {
      const sink = collect<Frame>();
      const options = { log: logOf(10), clock: new FakeClock(1_000_000) };
      // What comes after the end is no backlog.
      const definition = all(end).writeStream(sink).trigger(trigger).overload("latest");
      await runQuery(definition, options);
      assert.deepEqual(offsets(sink.outputs), upTo(4), JSON.stringify([end, trigger]));
      await runQuery(definition, options);
      assert.equal(sink.outputs.length, 4, "a query at its end does nothing more");
    }
  }
});

Deno.test("endingOffsets latest is the end as it is at the start", async () => {
  const log = logOf(3);
  const sink = collect<Frame>();
  const running = startQuery(
    all({ endingOffsets: "latest", maxFramesPerTrigger: 1 })
      .map((frame) => {
        if (frame.offset === 0) append(log, 2, 3);
        return frame;
      }).writeStream(sink),
    { log },
  );
  await running.ended;
  assert.deepEqual(offsets(sink.outputs), upTo(3));
  assert.throws(
    () => all({ endingOffsets: { VideoStreaming: { "0": -2 } } }),
    /Cannot end a read at .*expected latest or JSON/,
  );
});

Deno.test("a partition that endingOffsets does not name ends at latest; JSON text is read too", async () => {
  const ends = [[{ VideoStreaming: { "1": 2 } }, 10], ['{"VideoStreaming":{"0":3}}', 3]] as const;
  for (const [endingOffsets, frames] of ends) {
    const sink = collect<Frame>();
    const running = startQuery(
      all({ endingOffsets: endingOffsets as "latest" }).writeStream(sink),
      { log: logOf(10) },
    );
    await running.ended;
    assert.deepEqual(offsets(sink.outputs), upTo(frames));
  }
});

Deno.test("an end that is not there yet is waited for", async () => {
  await testStream<Frame>(
    (sink) => all({ endingOffsets: { VideoStreaming: { "0": 3 } } }).writeStream(sink),
    [
      startStream(),
      addFrames(0, 100),
      checkAnswer([0, 1]),
      addFrames(200, 300),
      checkAnswer([0, 1, 2]),
      startStream(),
      checkAnswer([0, 1, 2]),
      stopStream(),
    ],
  );
});
