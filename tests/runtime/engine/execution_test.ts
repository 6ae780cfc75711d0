/** What one run of a streaming query reads, in which order, and what it leaves out. */
import assert from "node:assert/strict";
import { BadFrameError, type Frame } from "../../../runtime/definition/frame.ts";
import { query } from "../../../runtime/definition/query.ts";
import { collect, runQuery, startQuery } from "../../../runtime/testing.ts";
import { append, logOf, offsets, upTo } from "./kit.ts";

Deno.test("available-now takes every frame once, in order, and resumes after the last", async () => {
  const source = logOf(10);
  const sink = collect<Frame>();
  const definition = query("all").readStream({
    startingOffsets: "earliest",
    maxFramesPerTrigger: 4,
  })
    .writeStream(sink).trigger("available-now");
  const totals = await runQuery(definition, { log: source });
  assert.deepEqual(offsets(sink.outputs), upTo(10));
  assert.equal(totals.frames, 10);
  assert.deepEqual(sink.batches.map(({ start, end }) => [start, end]), [[0, 4], [4, 8], [8, 10]]);
  assert.equal((await runQuery(definition, { log: source })).frames, 0);
  append(source, 3, 10);
  await runQuery(definition, { log: source });
  assert.deepEqual(offsets(sink.outputs), upTo(13));
});

Deno.test("once takes all there is, in batches of bounded size, and ends", async () => {
  const sink = collect<Frame>();
  await runQuery(
    query("once").readStream({ startingOffsets: "earliest" }).writeStream(sink).trigger("once"),
    { log: logOf(200) },
  );
  assert.ok(sink.batches.every(({ start, end }) => end - start <= 64));
  assert.deepEqual(offsets(sink.outputs), upTo(200));
});

Deno.test("outputs keep source order whatever order the operator finishes in", async () => {
  const source = logOf(50);
  const sink = collect<Frame>();
  const delays = new Map<number, PromiseWithResolvers<void>>();
  const definition = query("order").readStream({ startingOffsets: "earliest" })
    .process<Frame>({
      name: "slow",
      concurrency: 5,
      open: () => ({
        process: async (frame: Frame) => {
          const gate = Promise.withResolvers<void>();
          delays.set(frame.offset, gate);
          // Finishes in the wrong order: the last of each five first.
          if (delays.size === 5 || frame.offset === 49) {
            for (const [, waiting] of [...delays].reverse()) waiting.resolve();
            delays.clear();
          }
          await gate.promise;
          return [frame];
        },
      }),
    })
    .writeStream(sink).trigger("available-now");
  await runQuery(definition, { log: source });
  assert.deepEqual(offsets(sink.outputs), upTo(50));
});

Deno.test("asap runs until it is stopped and commits the batch that runs", async () => {
  const source = logOf(3);
  const sink = collect<Frame>();
  const enough = Promise.withResolvers<void>();
  const running = startQuery(
    query("asap").readStream({ startingOffsets: "earliest" })
      .map((frame) => {
        if (frame.offset === 5) enough.resolve();
        return frame;
      })
      .writeStream(sink),
    { log: source },
  );
  append(source, 3, 3);
  await enough.promise;
  running.stop();
  const totals = await running.ended;
  assert.equal(totals.frames, 6);
  assert.deepEqual(offsets(sink.outputs), upTo(6));
});

Deno.test("a bad frame costs itself and goes to the dead letters", async () => {
  const source = logOf(6);
  const sink = collect<Frame>();
  const totals = await runQuery(
    query("bad").readStream({ startingOffsets: "earliest" })
      .map((frame) => {
        if (frame.offset === 2) throw new BadFrameError("corrupt", "No end of image");
        return frame;
      })
      .writeStream(sink).trigger("available-now"),
    {
      log: source,
      inspect: (value) => {
        if (value[0] === 4) throw new BadFrameError("empty", "No bytes");
      },
    },
  );
  assert.deepEqual(offsets(sink.outputs), [0, 1, 3, 5]);
  assert.equal(totals.deadLettered, 2);
  const letters = source.frames("VideoStreaming.dead-letters", 0);
  assert.deepEqual(letters.map(({ value, headers }) => [value[0], headers["reason"]]), [
    [2, "corrupt"],
    [4, "empty"],
  ]);
});

Deno.test("starting offsets: earliest, latest, JSON, last frames, timestamp", async () => {
  const cases: [Record<string, unknown>, number[]][] = [
    [{ startingOffsets: "earliest" }, upTo(6)],
    [{ startingOffsets: "latest" }, []],
    [{ startingOffsets: { VideoStreaming: { "0": 4 } } }, [4, 5]],
    [{ startingOffsets: { VideoStreaming: { "0": -2 } } }, upTo(6)],
    [{ startingOffsets: "-2 frames" }, [4, 5]],
    [{ startingTimestamp: 1300 }, [3, 4, 5]],
    [{ startingOffsets: new Date(1300).toISOString() }, [3, 4, 5]],
  ];
  for (const [options, expected] of cases) {
    const sink = collect<Frame>();
    await runQuery(
      query("start").readStream(options).writeStream(sink).trigger("available-now"),
      { log: logOf(6) },
    );
    assert.deepEqual(offsets(sink.outputs), expected, JSON.stringify(options));
  }
});

Deno.test("the run's starting offsets replace the time at which the query would start", async () => {
  const sink = collect<Frame>();
  await runQuery(
    query("start").readStream({ startingTimestamp: 1500 }).writeStream(sink)
      .trigger("available-now"),
    { log: logOf(6), overrides: { source: { startingOffsets: "earliest" } } },
  );
  assert.deepEqual(offsets(sink.outputs), upTo(6));
});

Deno.test("the overload policies leave out what they say and count it", async () => {
  for (
    const [policy, expected, dropped] of [
      ["wait", upTo(40), 0],
      ["latest", [39], 39],
      ["drop-oldest", upTo(40).slice(10), 10],
    ] as const
  ) {
    const sink = collect<Frame>();
    const done = Promise.withResolvers<void>();
    const running = startQuery(
      query("busy").readStream({ startingOffsets: "earliest" })
        .map((frame) => {
          if (frame.offset === 39) done.resolve();
          return frame;
        })
        .writeStream(sink).overload(policy),
      { log: logOf(40) },
    );
    await done.promise;
    running.stop();
    const totals = await running.ended;
    assert.deepEqual(offsets(sink.outputs), expected, policy);
    assert.equal(totals.dropped, dropped, policy);
  }
});

Deno.test("a query that takes all there is leaves nothing out", async () => {
  for (const trigger of ["available-now", "once"] as const) {
    const sink = collect<Frame>();
    const definition = query("all").readStream({ startingOffsets: "earliest" })
      .writeStream(sink).overload("latest").trigger(trigger);
    const totals = await runQuery(definition, { log: logOf(40) });
    assert.deepEqual(offsets(sink.outputs), upTo(40), trigger);
    assert.equal(totals.dropped, 0, trigger);
  }
});

Deno.test("gaps, duplicates and reorderings of the camera's numbers are counted", async () => {
  const source = logOf(0);
  for (const seq of [0, 1, 4, 4, 3, 5]) {
    source.append("VideoStreaming", 0, [{
      key: null,
      value: new Uint8Array([seq]),
      timestamp: seq,
      headers: { session: "s", seq: String(seq) },
    }]);
  }
  const totals = await runQuery(
    query("seq").readStream({ startingOffsets: "earliest" }).writeStream(collect<Frame>())
      .trigger("available-now"),
    { log: source },
  );
  assert.deepEqual([totals.gaps, totals.duplicates, totals.orderViolations], [2, 1, 1]);
});
