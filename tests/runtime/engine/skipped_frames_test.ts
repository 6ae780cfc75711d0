/** Frames in no window, and windows that close without a frame. */
import assert from "node:assert/strict";
import type { StreamingQueryProgress } from "../../../runtime/definition/progress.ts";
import { query } from "../../../runtime/definition/query.ts";
import type { Window } from "../../../runtime/definition/frame.ts";
import type { WindowOptions } from "../../../runtime/windows/window_options.ts";
import {
  addFrames,
  advanceClock,
  checkAnswer,
  collect,
  runQuery,
  startQuery,
  startStream,
  stopStream,
  testStream,
} from "../../../runtime/testing.ts";
import { logOf } from "./kit.ts";

const offsets = ({ frames }: Window) => frames.map(({ offset }) => offset);
const cut = (options: WindowOptions) =>
  query("cut").readStream({ startingOffsets: "earliest" }).window(options);

async function windowsOf(times: readonly number[], options: WindowOptions) {
  const log = logOf(0);
  log.append(
    "VideoStreaming",
    0,
    times.map((timestamp) => ({ key: null, value: new Uint8Array(1), timestamp, headers: {} })),
  );
  const sink = collect<Window>();
  const progress: StreamingQueryProgress[] = [];
  const running = startQuery(cut(options).writeStream(sink).trigger("available-now"), {
    log,
    onProgress: (one) => void progress.push(one),
  });
  const totals = await running.ended;
  return { windows: sink.outputs.map(offsets), totals, reports: running.reports, progress, log };
}

Deno.test("one frame ten years ahead is counted and told, and the next windows come", async () => {
  const times = Array.from({ length: 63 }, (_, i) => 1_000_000 + i * 100);
  times[30]! += 10 * 365 * 86_400_000;
  const { windows, totals, reports, progress } = await windowsOf(times, { durationMs: 1000 });
  assert.equal(windows.length, 6);
  assert.equal(totals.ahead, 1);
  assert.equal(totals.late, undefined);
  assert.match(reports.join(), /in no window: 1 had capture times too far ahead/);
  assert.deepEqual(progress.at(-1)!.stateOperators[0]!.customMetrics, { numRowsTooFarAhead: 1 });
});

Deno.test("late frames are counted and told, and the watermark shows how late they may be", async () => {
  const { totals, reports, progress } = await windowsOf(
    [1000, 1900, 3500, 3200, 900, 1000],
    { durationMs: 1000, latenessMs: 500 },
  );
  assert.equal(totals.late, 2);
  assert.match(reports.join(), /2 came too late for their windows/);
  const { stateOperators: [operator], eventTime } = progress.at(-1)!;
  assert.equal(operator!.numRowsDroppedByWatermark, 2);
  assert.equal(Date.parse(eventTime.watermark!), 3000);
});

Deno.test("frames may be late without end: the watermark is then the earliest date", async () => {
  const latenessMs = Number.MAX_SAFE_INTEGER;
  const { totals, progress } = await windowsOf([9000, 1000], { durationMs: 1000, latenessMs });
  assert.equal(totals.late, undefined);
  assert.equal(Date.parse(progress.at(-1)!.eventTime.watermark!), 0);
});

Deno.test("frames that are read again after a restart are not counted again", async () => {
  const { log } = await windowsOf([1000, 5000, 1500, 5100], { durationMs: 1000 });
  const totals = await runQuery(
    cut({ durationMs: 1000 }).writeStream(collect<Window>()).trigger("available-now"),
    { log },
  );
  assert.equal(totals.late, undefined);
});

Deno.test("windows stay open while a camera is silent, unless silenceMs closes them", async () => {
  const silent = (options: WindowOptions, expected: unknown[]) =>
    testStream<Window>((sink) => cut(options).writeStream(sink), [
      startStream(),
      addFrames(1000, 1200),
      advanceClock(60_000),
      checkAnswer(expected, offsets),
      // The window is closed: what comes for it is late, the next one is a window of its own.
      addFrames(1300, 2100, 3200),
      checkAnswer(expected.length === 0 ? [[0, 1, 2], [3]] : [...expected, [3]], offsets),
    ]);
  await silent({ durationMs: 1000 }, []);
  await silent({ durationMs: 1000, silenceMs: 5000 }, [[0, 1]]);
});

Deno.test("with frames, silenceMs fills windows up", async () => {
  await testStream<Window>(
    (sink) => cut({ frames: 3, gap: "pad", maxGapMs: 9_000, silenceMs: 5000 }).writeStream(sink),
    [
      startStream(),
      addFrames(1000, 1200),
      advanceClock(5_000),
      checkAnswer([[0, 1, 1]], offsets),
    ],
  );
  assert.throws(() => cut({ frames: 3, silenceMs: 5000 }), /silenceMs: with frames it needs gap/);
});

Deno.test("the end of a query that takes all there is closes windows, a stop does not", async () => {
  const { windows } = await windowsOf([1000, 1200], { durationMs: 1000, silenceMs: 5000 });
  assert.deepEqual(windows, [[0, 1]]);
  await testStream<Window>(
    (sink) => cut({ durationMs: 1000, silenceMs: 5000 }).writeStream(sink),
    [
      startStream(),
      addFrames(1000, 1200),
      stopStream(),
      checkAnswer([], offsets),
      startStream(),
      addFrames(1300, 2100),
      checkAnswer([[0, 1, 2]], offsets),
    ],
  );
});
