/** Frames that are gone from the log before a streaming query has read them. */
import assert from "node:assert/strict";
import type { Frame, Window } from "../../../runtime/definition/frame.ts";
import { LogError } from "../../../runtime/log/log.ts";
import { query } from "../../../runtime/definition/query.ts";
import type { Sink } from "../../../runtime/definition/sink.ts";
import { collect, runQuery, startQuery } from "../../../runtime/testing.ts";
import { append, logOf, offsets, upTo } from "./kit.ts";
import { until } from "../../support/until.ts";

Deno.test("lost frames stop the query by name, or are counted when that is allowed", async () => {
  const source = logOf(10);
  const definition = (failOnDataLoss: boolean, sink = collect<Frame>()) => ({
    sink,
    definition: query("loss").readStream({ startingOffsets: "earliest", failOnDataLoss })
      .writeStream(sink).trigger("available-now"),
  });
  const first = definition(true);
  source.fail = (point) => {
    if (point === "read" && source.frames("VideoStreaming", 0).length === 10) {
      source.fail = () => {};
    }
  };
  await runQuery(first.definition, { log: source });
  append(source, 10, 10);
  source.expire("VideoStreaming", 0, 14);
  await assert.rejects(
    runQuery(first.definition, { log: source }),
    /Cannot read VideoStreaming partition 0 from offset 10: 4 frames were deleted before loss read them; the log holds 14 to 20/,
  );
  const second = definition(false);
  const totals = await runQuery(second.definition, { log: source });
  assert.deepEqual(offsets(second.sink.outputs), [14, 15, 16, 17, 18, 19]);
  assert.equal(totals.dropped, 4);
});

Deno.test("a topic created again stops the query by name, in a run and after it", async () => {
  for (const trigger of ["asap", "available-now"] as const) {
    const source = logOf(10);
    const sink = collect<Frame>();
    const definition = query("anew").readStream({ startingOffsets: "earliest" })
      .writeStream(sink).trigger("available-now");
    await runQuery(definition, { log: source });
    source.makeAnew("VideoStreaming");
    for (const [more, held] of [[3, 3], [20, 23]] as const) {
      append(source, more);
      await assert.rejects(
        runQuery(definition, { log: source, overrides: { trigger: { kind: trigger } } }),
        (error) =>
          error instanceof LogError && error.code === "OFFSET_OUT_OF_RANGE" &&
          error.message.includes(
            `from offset 10: the topic was deleted and created again; the log holds 0 to ${held}`,
          ),
      );
    }
    assert.deepEqual(offsets(sink.outputs), upTo(10));
  }
});

Deno.test("a topic created again is gone on with where that is allowed, its losses counted exactly", async () => {
  const source = logOf(10);
  const sink = collect<number>();
  const running = startQuery(
    query("anew").readStream({ startingOffsets: "earliest", failOnDataLoss: false })
      // What is open when the old topic goes is given up: no window spans both.
      .window({ frames: 4, hop: 4 })
      .map((window: Window) => window.frames.map(({ headers }) => Number(headers["seq"])))
      .writeStream(sink as never),
    { log: source },
  );
  const windows = async (count: number) => {
    await until("count outputs", () => sink.outputs.length >= count);
  };
  await windows(2);
  source.makeAnew("VideoStreaming");
  // 10 to 16 were in the old topic only, or nowhere.
  append(source, 5, 17);
  await windows(3);
  append(source, 3, 22);
  await windows(4);
  running.stop();
  const totals = await running.ended;
  assert.deepEqual(sink.outputs, [[0, 1, 2, 3], [4, 5, 6, 7], [17, 18, 19, 20], [21, 22, 23, 24]]);
  assert.deepEqual([totals.dropped, totals.gaps, totals.frames], [7, 0, 18]);
  assert.match(running.reports.join(), /created again: continuing at 0 instead of 10/);
  assert.match(running.reports.join(), /Lost 7 frames/);
});

Deno.test("a query that starts on a topic created again counts its losses too, where that can be known", async () => {
  for (const trigger of ["asap", "available-now"] as const) {
    // Fewer than before, or more.
    for (const [session, count] of [["s", 3], ["another", 3], ["s", 15]] as const) {
      const source = logOf(10);
      const sink = collect<Frame>();
      const definition = query("anew")
        .readStream({ startingOffsets: "earliest", failOnDataLoss: false })
        .writeStream(sink).trigger("available-now");
      await runQuery(definition, { log: source });
      source.makeAnew("VideoStreaming");
      append(source, count, 20, session);
      const running = startQuery(definition, {
        log: source,
        overrides: { trigger: { kind: trigger } },
      });
      await until("all outputs", () => sink.outputs.length >= 10 + count);
      running.stop();
      const { dropped, gaps } = await running.ended;
      assert.deepEqual(offsets(sink.outputs), [...upTo(10), ...upTo(count)]);
      assert.deepEqual([dropped, gaps], [session === "s" ? 10 : 0, 0]);
      assert.match(
        running.reports.join(),
        session === "s" ? /Lost 10 frames/ : /Cannot count the frames/,
      );
    }
  }
});

Deno.test("a topic created again while available-now reads it is read to its own end", async () => {
  for (const count of [0, 1, 3]) {
    const source = logOf(10);
    const sink = collect<Frame>();
    const makeAnew = (frame: Frame) => {
      if (frame.offset === 3) {
        source.makeAnew("VideoStreaming");
        append(source, count, 100);
      }
      return frame;
    };
    const definition = query("anew")
      .readStream({ startingOffsets: "earliest", failOnDataLoss: false, maxFramesPerTrigger: 2 })
      .map(makeAnew).writeStream(sink).trigger("available-now");
    const { lost = 0 } = await runQuery(definition, { log: source });
    assert.deepEqual(offsets(sink.outputs), [...upTo(4), ...upTo(count)]);
    assert.equal(lost, count === 0 ? 0 : 96);
  }
});

Deno.test("a batch that was planned when its topic was created again is given up, whatever the new one holds", async () => {
  // The batch was planned from offset 10 to 20.
  for (const count of [3, 15, 40]) {
    const source = logOf(10);
    const sink = collect<Frame>();
    const definition = query("anew")
      .readStream({ startingOffsets: "earliest", failOnDataLoss: false })
      .writeStream(sink).trigger("available-now");
    await runQuery(definition, { log: source });
    append(source, 10, 10);
    source.fail = (point) => {
      if (point === "before-commit") throw new Error("killed");
    };
    await assert.rejects(runQuery(definition, { log: source }), /killed/);
    source.fail = () => {};
    source.makeAnew("VideoStreaming");
    append(source, count, 20);
    // It is killed again between the commit that leaves the old topic and the one that begins with the new one.
    source.fail = (point) => {
      if (point === "after-commit") throw new Error("killed");
    };
    await assert.rejects(runQuery(definition, { log: source }), /killed/);
    source.fail = () => {};
    const { frames, dropped } = await runQuery(definition, { log: source });
    assert.deepEqual([frames, dropped], [count, 10]);
    assert.deepEqual(offsets(sink.outputs), [...upTo(10), ...upTo(count)]);
    assert.deepEqual(
      (await source.checkpoints()).map(({ committed, planned }) => [committed?.end, planned]),
      [
        [count, undefined],
      ],
    );
  }
});

/** A sink that must see its outputs again from the last offset that is a multiple of 8. */
function remembering(refed: number[]): Sink<Frame> & { outputs: Frame[] } {
  const outputs: Frame[] = [];
  return {
    uri: "remembering",
    delivery: "exactly-once",
    outputs,
    open: () => ({
      write: (more) => void outputs.push(...more),
      restartOffset: () => (outputs.at(-1)?.offset ?? 0) & ~7,
      refeed: (more) => void refed.push(...more.map(({ offset }) => offset)),
    }),
  };
}

Deno.test("frames that only a sink wants again may be gone: nothing is lost by that", async () => {
  const source = logOf(14);
  const refed: number[] = [];
  const sink = remembering(refed);
  const definition = query("again").readStream({
    startingOffsets: "earliest",
    maxFramesPerTrigger: 4,
  })
    .map((frame) => frame).writeStream(sink).trigger("available-now");
  await runQuery(definition, { log: source });
  append(source, 4, 14);
  source.expire("VideoStreaming", 0, 11);
  const running = startQuery(definition, { log: source });
  assert.deepEqual([(await running.ended).dropped, offsets(sink.outputs)], [0, upTo(18)]);
  assert.deepEqual(refed, [11, 12, 13]);
  assert.match(
    running.reports.join(),
    /again from offset 8: the log starts at 11. Nothing is lost/,
  );
});

Deno.test("frames that an open window wants again may not be gone, unless that is allowed", async () => {
  const source = logOf(14);
  const definition = (failOnDataLoss: boolean, sink = collect<Window>()) => ({
    sink,
    definition: query("again").readStream({ startingOffsets: "earliest", failOnDataLoss })
      .window({ frames: 8, hop: 8 }).writeStream(sink as never).trigger("available-now"),
  });
  await runQuery(definition(true).definition, { log: source });
  append(source, 8, 14);
  source.expire("VideoStreaming", 0, 11);
  await assert.rejects(
    runQuery(definition(true).definition, { log: source }),
    /from offset 8: 3 frames that its open windows need were deleted; the log holds 11 to 22/,
  );
  const { sink, definition: allowed } = definition(false);
  const totals = await runQuery(allowed, { log: source });
  // They were processed: none is lost, though a window is.
  assert.equal(totals.dropped, 0);
  assert.deepEqual(sink.outputs.map(({ firstOffset }) => firstOffset), [11]);
});
