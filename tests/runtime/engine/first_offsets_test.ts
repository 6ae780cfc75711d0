/** Where a query begins is kept from its first start on. */
import assert from "node:assert/strict";
import type { Frame } from "../../../runtime/definition/frame.ts";
import { query } from "../../../runtime/definition/query.ts";
import type { ReadStreamOptions } from "../../../runtime/definition/source_options.ts";
import { foundLater } from "../../../runtime/driver/driver_query.ts";
import {
  addFrames,
  checkAnswer,
  collect,
  type MemoryLog,
  runQuery,
  settle,
  startQuery,
  startStream,
  stopStream,
  testStream,
} from "../../../runtime/testing.ts";
import { append, logOf, offsets, upTo } from "./kit.ts";

const all = (options: ReadStreamOptions) => query("all").readStream(options);

async function run(log: MemoryLog, options: ReadStreamOptions): Promise<readonly Frame[]> {
  const sink = collect<Frame>();
  await runQuery(all(options).writeStream(sink).trigger("available-now"), { log });
  return sink.outputs;
}

Deno.test("frames between a start at latest without a batch and the next start are not skipped", async () => {
  for (const mode of ["drain", "abort", "move"] as const) {
    await testStream<Frame>((sink) => all({}).writeStream(sink), [
      addFrames(0, 100),
      startStream(),
      stopStream(mode),
      addFrames(200, 300),
      startStream(),
      checkAnswer([2, 3]),
    ]);
  }
});

Deno.test("first offsets do not count as a batch", async () => {
  const log = logOf(3);
  assert.equal((await run(log, {})).length, 0);
  const [{ committed, planned }] = await log.checkpoints() as [
    Awaited<ReturnType<MemoryLog["checkpoints"]>>[number],
  ];
  assert.equal(committed, undefined);
  assert.deepEqual(planned, { batchId: 0, start: 3, end: 3 });
  append(log, 2, 3);
  const sink = collect<Frame>();
  await runQuery(all({}).writeStream(sink).trigger("available-now"), { log });
  assert.deepEqual(sink.batches, [{ batchId: 0, start: 3, end: 5 }]);
});

Deno.test("options of the start are ignored once a first start was made", async () => {
  const log = logOf(3);
  assert.equal((await run(log, {})).length, 0);
  assert.equal((await run(log, { startingOffsets: "earliest" })).length, 0);
});

Deno.test("a topic that was created again is read from its start, also after a restart without a batch", async () => {
  const log = logOf(3);
  const options = { startingOffsets: "earliest", failOnDataLoss: false } as const;
  assert.equal((await run(log, options)).length, 3);
  log.makeAnew("VideoStreaming");
  const running = startQuery(all(options).writeStream(collect<Frame>()), { log });
  while (!running.reports.some((line) => /created again/.test(line))) await settle();
  running.stop();
  await running.ended;
  append(log, 6);
  assert.deepEqual(offsets(await run(log, options)), upTo(6));
});

Deno.test("failOnDataLoss: false covers the first start too", async () => {
  const log = logOf(6);
  log.expire("VideoStreaming", 0, 4);
  const startingOffsets = { VideoStreaming: { "0": 1 } };
  await assert.rejects(
    run(log, { startingOffsets }),
    /Cannot start VideoStreaming partition 0 at offset 1: expected 4 to 6/,
  );
  const sink = collect<Frame>();
  const totals = await runQuery(
    all({ startingOffsets, failOnDataLoss: false }).writeStream(sink).trigger("available-now"),
    { log },
  );
  assert.deepEqual(offsets(sink.outputs), [4, 5]);
  assert.equal(totals.dropped, 3);
});

Deno.test("a partition that was there at the first start, which ended before it began on it, is none found later", async () => {
  const log = logOf(1);
  await log.createTopic("VideoStreaming", 2);
  const later = async (count: number) =>
    [1, 2].map(foundLater(await log.checkpoints({ query: "all" }), undefined, count));
  await run(log, { startingOffsets: "earliest" });
  assert.deepEqual(await later(3), [false, true]);
  await log.createTopic("VideoStreaming", 3);
  append(log, 1);
  await run(log, {});
  assert.deepEqual(await later(3), [false, true], "the first start counts");
});

Deno.test("a partition that came after the query had begun is one found later", async () => {
  const log = logOf(1);
  const ask = { query: "all", topic: "VideoStreaming", group: "test" };
  const found = async (named?: number[]) =>
    foundLater(await log.checkpoints(ask), named, await log.partitionCount("VideoStreaming"));
  const first = await found();
  assert.deepEqual([0, 1].map(first), [false, true]);
  // A query that has committed nothing has not begun on any of them.
  assert.equal((await found())(0), false);
  await run(log, { startingOffsets: "earliest" });
  await log.createTopic("VideoStreaming", 2);
  const again = await found();
  assert.deepEqual([0, 1].map(again), [false, true]);
  assert.equal((await found([1]))(1), false);
});
