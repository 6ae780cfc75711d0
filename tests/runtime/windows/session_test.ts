/** Sessions: while something holds, and a while after. */
import assert from "node:assert/strict";
import fc from "fast-check";
import type { Frame, Window } from "../../../runtime/definition/frame.ts";
import { query } from "../../../runtime/definition/query.ts";
import { type SessionOptions, sessionWindow } from "../../../runtime/windows/session.ts";
import {
  addFrames,
  advanceClock,
  checkAnswer,
  collect,
  MemoryLog,
  runQuery,
  startStream,
  stopStream,
  testStream,
} from "../../../runtime/testing.ts";

type Options = Omit<SessionOptions, "while">;
const HOLDS = (frame: Frame) => frame.headers["holds"] === "1";
const offsets = ({ frames }: Window) => frames.map(({ offset }) => offset);

/** Sessions of frames 100 ms apart, of which those hold that have a letter, in runs of this many frames. */
async function sessions(pattern: string, options: Options, perRun = pattern.length) {
  const log = new MemoryLog();
  await log.createTopic("VideoStreaming", 1);
  const sink = collect<Window>();
  const definition = query("s").readStream({ startingOffsets: "earliest" })
    .process(sessionWindow({ while: HOLDS, ...options })).writeStream(sink)
    .trigger("available-now");
  for (let i = 0; i < pattern.length; i += perRun) {
    for (const [at, letter] of [...pattern.slice(i, i + perRun)].entries()) {
      log.append("VideoStreaming", 0, [{
        key: null,
        value: new Uint8Array(1),
        timestamp: 1_000_000 + (i + at) * 100,
        headers: { holds: letter === "." ? "0" : "1" },
      }]);
    }
    await runQuery(definition, { log });
  }
  return sink.outputs.map(offsets);
}

Deno.test("a session lasts while something holds, and afterMs more", async () => {
  assert.deepEqual(await sessions("..xx....x.......", { afterMs: 200 }), [
    [2, 3, 4, 5],
    [8, 9, 10],
  ]);
  assert.deepEqual(await sessions("x...x...........", { afterMs: 400 }), [
    [0, 1, 2, 3, 4, 5, 6, 7, 8],
  ]);
});

Deno.test("a session is no longer than maxMs; what holds on begins another one", async () => {
  assert.deepEqual(await sessions("xxxxxxxx....", { afterMs: 100, maxMs: 300 }), [
    [0, 1, 2],
    [3, 4, 5],
    [6, 7, 8],
  ]);
});

Deno.test("a late frame that holds does not shorten a session", async () => {
  const holding = (timestamp: number) => ({ timestamp, headers: { holds: "1" } });
  await testStream<Window>(
    (sink) =>
      query("s").readStream({ startingOffsets: "earliest" })
        .process(sessionWindow({ while: HOLDS, afterMs: 200 })).writeStream(sink),
    [
      startStream(),
      addFrames(holding(0), holding(200), holding(100), 400, 450),
      checkAnswer([[0, 1, 2, 3]], offsets),
    ],
  );
});

Deno.test("a clock that is set back ends a session", async () => {
  const frames = [1000, 1100, 200, 300].map((timestamp) => ({
    timestamp,
    headers: { holds: "1" },
  }));
  await testStream<Window>(
    (sink) =>
      query("s").readStream({ startingOffsets: "earliest" })
        .process(sessionWindow({ while: HOLDS, afterMs: 500 })).writeStream(sink),
    [startStream(), addFrames(...frames, 900), checkAnswer([[0, 1], [2, 3]], offsets)],
  );
});

Deno.test("sessions are the same whatever the batches and restarts", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.constantFrom(".", ".", "x"), { minLength: 1, maxLength: 30 }),
      fc.integer({ min: 1, max: 7 }),
      async (letters, perRun) => {
        const pattern = letters.join("") + "......";
        const options = { afterMs: 200, maxMs: 700 };
        assert.deepEqual(await sessions(pattern, options, perRun), byDefinition(pattern, options));
      },
    ),
    { numRuns: 40 },
  );
});

/** The sessions of a pattern, by their definition. */
function byDefinition(pattern: string, { afterMs, maxMs = 60_000 }: Options): number[][] {
  const found: number[][] = [];
  let open: number[] | undefined;
  let held = 0;
  for (const [at, letter] of [...pattern].entries()) {
    const over = open !== undefined &&
      ((at - held) * 100 > afterMs || (at - open[0]!) * 100 >= maxMs);
    if (over) open = undefined;
    if (letter === "x") held = at;
    if (open === undefined && letter === "x") found.push(open = []);
    open?.push(at);
  }
  return found;
}

Deno.test("a session survives a restart in its middle, and closes on silence where told to", async () => {
  await testStream<Window>(
    (sink) =>
      query("s").readStream({ startingOffsets: "earliest" })
        .process(sessionWindow({ while: HOLDS, afterMs: 100, silenceMs: 5_000 }))
        .writeStream(sink),
    [
      startStream(),
      addFrames({ timestamp: 0, headers: { holds: "1" } }),
      stopStream("abort"),
      startStream(),
      addFrames({ timestamp: 90 }),
      checkAnswer([], offsets),
      advanceClock(5_000),
      checkAnswer([[0, 1]], offsets),
    ],
  );
});

Deno.test("options of sessions are checked, all faults together", () => {
  assert.throws(
    () => sessionWindow({ while: undefined as never, afterMs: -1, maxMs: 0 }),
    /while: expected a function.*afterMs: expected.*given -1.*maxMs: expected/,
  );
});
