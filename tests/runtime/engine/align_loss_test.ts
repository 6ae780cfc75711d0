/** Lanes of two cameras whose frames are gone from the log, are new, or cannot be used. */
import assert from "node:assert/strict";
import type { Pair } from "../../../runtime/definition/align.ts";
import { BadFrameError } from "../../../runtime/definition/frame.ts";
import { query } from "../../../runtime/definition/query.ts";
import { collect, MemoryLog, runQuery, settle, startQuery } from "../../../runtime/testing.ts";
import { until } from "../../support/until.ts";
import { deadLetters } from "./kit.ts";

const TOPIC = "VideoStreaming";

function logOf(times: readonly number[]): MemoryLog {
  const log = new MemoryLog();
  log.createTopic(TOPIC, 2);
  append(log, times);
  return log;
}

/** Frames of both cameras at the same times. */
function append(log: MemoryLog, times: readonly number[]): void {
  for (const partition of [0, 1]) {
    const records = times.map((timestamp) => ({ timestamp, value: new Uint8Array([timestamp]) }));
    log.append(TOPIC, partition, records.map((record) => ({ key: null, headers: {}, ...record })));
  }
}

function stereo(sink = collect<Pair>()) {
  const stream = query("stereo").readStream({
    startingOffsets: "earliest",
    failOnDataLoss: false,
  }).align({ 0: 1 }, { toleranceMs: 20 });
  const offsets = () => sink.outputs.map(({ offset, other }) => [offset, other.offset]);
  return { definition: stream.writeStream(sink), offsets };
}

Deno.test("Frames of the own camera that were deleted are counted; pairs go on behind them", async () => {
  const log = logOf([100, 200]);
  const { definition, offsets } = stereo();
  const trigger = { kind: "available-now" } as const;
  await runQuery(definition, { log, overrides: { trigger } });
  append(log, [300, 400, 500, 600]);
  log.expire(TOPIC, 0, 4);
  const running = startQuery(definition, { log });
  await until("a pair behind them", () => offsets().length === 2);
  running.stop();
  assert.equal((await running.ended).dropped, 3);
  assert.deepEqual(offsets(), [[0, 0], [4, 4]]);
});

Deno.test("In a topic created again both cameras begin again, noticed in a run or at its start", async () => {
  for (const inRun of [true, false]) {
    const log = logOf([10, 20, 30, 40, 50, 60]);
    const { definition, offsets } = stereo();
    let running = startQuery(definition, { log });
    await until("all pairs but the newest", () => offsets().length === 5);
    if (!inRun) {
      running.stop();
      await running.ended;
    }
    log.makeAnew(TOPIC);
    await settle();
    // At a start the new topic is longer than the old one.
    append(log, inRun ? [110, 120, 130] : [110, 120, 130, 140, 150, 160, 170, 180]);
    if (!inRun) running = startQuery(definition, { log });
    await until("pairs of the new topic", () => offsets().length >= 7);
    running.stop();
    await running.ended;
    assert.deepEqual(offsets().slice(5, 7), [[0, 0], [1, 1]]);
  }
});

Deno.test("A bad frame of the other camera costs its pair alone", async () => {
  const log = logOf([10, 20, 30, 40]);
  const { definition, offsets } = stereo();
  const inspect = ([first]: Uint8Array) => {
    if (first === 20) throw new BadFrameError("corrupt", "odd");
  };
  // The own frame is good.
  log.frames(TOPIC, 0)[1]!.value[0] = 21;
  await runQuery(definition.trigger("available-now"), { log, inspect });
  assert.deepEqual(offsets(), [[0, 0], [2, 2]]);
  assert.deepEqual(deadLetters(log), [["corrupt", 21]]);
});
