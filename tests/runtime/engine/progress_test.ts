/** What a progress report says of its batches, while the next one already runs. */
import assert from "node:assert/strict";
import type { Frame } from "../../../runtime/definition/frame.ts";
import { lagOf, type StreamingQueryProgress } from "../../../runtime/definition/progress.ts";
import { query } from "../../../runtime/definition/query.ts";
import { collect, FakeClock, runQuery, settle, startQuery } from "../../../runtime/testing.ts";
import { append, logOf } from "./kit.ts";

Deno.test("A report counts the rows of the batches that it names, not of those that run ahead", async () => {
  const sink = collect<Frame>();
  const reports: StreamingQueryProgress[] = [];
  await runQuery(
    query("all")
      .readStream({ startingOffsets: "earliest", maxFramesPerTrigger: 4 })
      .filter(({ offset }) => offset % 2 === 0)
      .writeStream({
        ...sink,
        open: async (context) => {
          const writer = await sink.open(context);
          // The next batch runs meanwhile.
          return {
            ...writer,
            committed: async (batch) => (await settle(), writer.committed?.(batch)),
          };
        },
      })
      .trigger("available-now"),
    { log: logOf(18), onProgress: (one) => void reports.push(one) },
  );
  const seen = reports.map(({ numInputRows, sink, eventTime, sources: [source] }) => {
    const at = (offsets: Readonly<Record<string, Readonly<Record<string, number>>>>) =>
      Object.values(offsets).flatMap((one) => Object.values(one))[0]!;
    return {
      offsets: [at(source!.startOffset), at(source!.endOffset)],
      numInputRows,
      numOutputRows: sink.numOutputRows,
      times: eventTime.min !== undefined,
    };
  });
  assert.deepEqual(
    seen,
    [[0, 4], [4, 8], [8, 12], [12, 16], [16, 18]].map(([start, end]) => ({
      offsets: [start, end],
      numInputRows: end! - start!,
      numOutputRows: (end! - start!) / 2,
      times: true,
    })),
  );
});

Deno.test("a late report tells of what is committed, not of the batch that is being committed", async () => {
  const log = logOf(1);
  const clock = new FakeClock(1_000_000);
  const gate = Promise.withResolvers<void>();
  let flushes = 0;
  const ends: unknown[] = [];
  const behind: unknown[] = [];
  const definition = query("late").readStream({ startingOffsets: "earliest" }).writeStream({
    uri: "slow",
    delivery: "exactly-once",
    open: () => ({ flush: () => ++flushes === 2 ? gate.promise : undefined }),
  });
  const running = startQuery(definition, {
    log,
    clock,
    progressIntervalMs: 1000,
    onProgress: ({ batchId, sources: [source] }) => {
      ends.push([batchId, source!.endOffset]);
      behind.push(lagOf(source!, "VideoStreaming", 0));
    },
  });
  await settle();
  append(log, 1, 1);
  await settle();
  assert.equal(flushes, 2);
  await clock.advance(1000);
  assert.deepEqual(ends, [[0, { VideoStreaming: { 0: 1 } }]]);
  gate.resolve();
  await clock.advance(1000);
  assert.deepEqual(ends[1], [1, { VideoStreaming: { 0: 2 } }]);
  assert.deepEqual(behind, [0, 0], "what came after a commit is not behind it");
  running.stop();
  await running.ended;
});

Deno.test("An output whose timestamp is no number is measured from its frame's capture", async () => {
  const reports: StreamingQueryProgress[] = [];
  await runQuery(
    query("odd")
      .readStream({ startingOffsets: "earliest" })
      .map(({ offset }) => ({ timestamp: [NaN, Infinity, "now"][offset] }))
      .writeStream({ uri: "any", delivery: "exactly-once", open: () => ({}) })
      .trigger("available-now"),
    { log: logOf(3), onProgress: (one) => void reports.push(one) },
  );
  const { P0, P99 } = reports[0]!.latencies!.e2eLatencyMs;
  assert.ok(P0 > 1e12 && P99 > 1e12, `${P0} and ${P99}`);
});

Deno.test("a run that fails reports the batches that it has committed", async () => {
  const reports: StreamingQueryProgress[] = [];
  const running = startQuery(
    query("flaky").readStream({ startingOffsets: "earliest", maxFramesPerTrigger: 1 })
      .writeStream({
        uri: "flaky",
        delivery: "exactly-once",
        open: () => ({
          flush({ batchId }) {
            if (batchId === 1) throw new Error("boom");
          },
        }),
      }),
    { log: logOf(3), progressIntervalMs: 60_000, onProgress: (one) => void reports.push(one) },
  );
  await assert.rejects(running.ended, /boom/);
  assert.deepEqual(reports.map(({ batchId, numInputRows }) => [batchId, numInputRows]), [[0, 1]]);
});

Deno.test("an operator that fails when a late report asks for its state ends the run", async () => {
  const clock = new FakeClock(1_000_000);
  const running = startQuery(
    query("sized").readStream({ startingOffsets: "earliest" }).process<Frame>({
      name: "sized",
      open: () => ({
        process: (frame) => [frame],
        stateSize() {
          throw new Error("boom");
        },
      }),
    }).writeStream(collect<Frame>()),
    { log: logOf(1), clock, progressIntervalMs: 1000 },
  );
  await settle();
  await clock.advance(1000);
  await assert.rejects(running.ended, /Operator sized .*: boom/);
});
