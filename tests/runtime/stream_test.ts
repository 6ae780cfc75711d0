/** Streams as lists of actions, with a clock that stands still. */
import assert from "node:assert/strict";
import type { Frame } from "../../runtime/frame.ts";
import { query } from "../../runtime/query.ts";
import {
  ABORT,
  addFrames,
  advanceClock,
  checkAnswer,
  crash,
  EOF,
  expectFailure,
  expireFrames,
  PAUSE,
  runScript,
  startStream,
  stopStream,
  testStream,
} from "../../runtime/testing.ts";

const all = () => query("all").readStream({ startingOffsets: "earliest" });

Deno.test("a crash before the commit repeats the batch, once", async () => {
  await testStream<Frame>((sink) => all().writeStream(sink), [
    startStream(),
    addFrames(0, 100),
    checkAnswer([0, 1]),
    crash(),
    addFrames(200),
    expectFailure(/killed/),
    checkAnswer([0, 1]),
    startStream(),
    checkAnswer([0, 1, 2]),
    stopStream(),
  ]);
});

Deno.test("interval ticks are aligned to the epoch; frames wait for the next tick", async () => {
  await testStream<Frame>((sink) => all().writeStream(sink).trigger("interval:500ms"), [
    addFrames(0),
    startStream(),
    checkAnswer([0]),
    addFrames(100, 200),
    checkAnswer([0]),
    advanceClock(499),
    checkAnswer([0]),
    advanceClock(1),
    checkAnswer([0, 1, 2]),
  ]);
});

Deno.test("minFramesPerTrigger waits for enough frames, maxTriggerDelay ends the wait", async () => {
  await testStream<Frame>(
    (sink) =>
      query("batched").readStream({
        startingOffsets: "earliest",
        minFramesPerTrigger: 3,
        maxTriggerDelay: "10s",
      }).writeStream(sink),
    [
      startStream(),
      addFrames(0, 100),
      checkAnswer([]),
      addFrames(200),
      checkAnswer([0, 1, 2]),
      addFrames(300),
      advanceClock(9_000),
      checkAnswer([0, 1, 2]),
      advanceClock(1_000),
      checkAnswer([0, 1, 2, 3]),
    ],
  );
});

Deno.test("a timer fires when its time has come although no frame arrives", async () => {
  await testStream<string>(
    (sink) =>
      all().transformWithState<{ last: number }, string>({
        name: "silence",
        init: () => ({ last: -1 }),
        handleInput: (state, frame, timers) => {
          for (const time of timers.list()) timers.delete(time);
          state.last = frame.offset;
          timers.register(1_000_000 + 5_000);
          return [];
        },
        handleExpiredTimer: (state) => [`silent since ${state.last}`],
      }).writeStream(sink),
    [
      startStream(),
      addFrames(0, 100),
      advanceClock(4_999),
      checkAnswer([], (text) => text),
      advanceClock(1),
      checkAnswer(["silent since 1"], (text) => text),
    ],
  );
});

Deno.test("frames that were deleted before they were read stop the query by name", async () => {
  await testStream<Frame>((sink) => all().writeStream(sink), [
    startStream(),
    addFrames(0, 100),
    checkAnswer([0, 1]),
    stopStream(),
    addFrames(200, 300, 400),
    expireFrames(4),
    startStream(),
    expectFailure(/2 frames were deleted before all read them/),
  ]);
});

Deno.test("a script with ABORT, PAUSE and EOF gives every frame once", async () => {
  const outputs = await runScript<Frame>((sink) => all().writeStream(sink), [
    0,
    100,
    PAUSE,
    200,
    ABORT,
    300,
    EOF,
  ]);
  assert.deepEqual(outputs.map(({ offset }) => offset), [0, 1, 2, 3]);
});

Deno.test("a failing check shows steps, batches and progress", async () => {
  await assert.rejects(
    testStream<Frame>((sink) => all().writeStream(sink), [
      startStream(),
      addFrames(0, 100),
      checkAnswer([0]),
    ]),
    (error: Error) => {
      for (const part of ["=> 2", "expected [0], got [0,1]", "0=[0,2)", "numInputRows"]) {
        assert.ok(error.message.includes(part), `${part} in ${error.message}`);
      }
      return true;
    },
  );
});
