/** Streams as lists of actions, with a clock that stands still. */
import assert from "node:assert/strict";
import type { Frame } from "../../runtime/definition/frame.ts";
import type { Operator } from "../../runtime/definition/operator.ts";
import { query } from "../../runtime/definition/query.ts";
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

/** Frames, and after five silent seconds, or at the end, that it was silent since then. */
function silence(): Operator<Frame, string> {
  return {
    name: "silence",
    kind: "state",
    open({ clock, state }) {
      let last = state === undefined
        ? undefined
        : JSON.parse(new TextDecoder().decode(state)) as { offset: number; at: number } | undefined;
      const end = (why: string) => {
        const said = last === undefined ? [] : [`${why} since ${last.offset}`];
        last = undefined;
        return said;
      };
      return {
        process({ offset }) {
          last = { offset, at: clock.now() };
          return [`${offset}`];
        },
        nextTimer: () => last === undefined ? undefined : last.at + 5_000,
        onTimer: () => end("silent"),
        finish: () => end("ended"),
        snapshot: () =>
          last === undefined ? undefined : new TextEncoder().encode(JSON.stringify(last)),
      };
    },
  };
}

Deno.test("a timer whose time came while nothing ran fires at the next start, without a frame", async () => {
  await testStream<string>((sink) => all().process(silence()).writeStream(sink), [
    startStream(),
    addFrames(0, 100),
    checkAnswer(["0", "1"], (text) => text),
    crash(),
    addFrames(200),
    advanceClock(60_000),
    startStream(),
    checkAnswer(["0", "1", "silent since 1", "2"], (text) => text),
    advanceClock(5_000),
    checkAnswer(["0", "1", "silent since 1", "2", "silent since 2"], (text) => text),
  ]);
});

Deno.test("a timer fires between the ticks of an interval too", async () => {
  await testStream<string>(
    (sink) => all().process(silence()).writeStream(sink).trigger("interval:1s"),
    [
      startStream(),
      addFrames(0),
      advanceClock(1_000),
      checkAnswer(["0"], (text) => text),
      advanceClock(6_000),
      checkAnswer(["0", "silent since 0"], (text) => text),
    ],
  );
});

Deno.test("what is open when a query is stopped is ended, once, with its last batch", async () => {
  await testStream<string>((sink) => all().process(silence()).writeStream(sink), [
    startStream(),
    addFrames(0, 100),
    stopStream(),
    checkAnswer(["0", "1", "ended since 1"], (text) => text),
    startStream(),
    addFrames(200),
    checkAnswer(["0", "1", "ended since 1", "2"], (text) => text),
    stopStream("move"),
    checkAnswer(["0", "1", "ended since 1", "2"], (text) => text),
    startStream(),
    stopStream(),
    checkAnswer(["0", "1", "ended since 1", "2", "ended since 2"], (text) => text),
  ]);
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
