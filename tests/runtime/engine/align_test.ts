/** Two cameras in one query. */
import assert from "node:assert/strict";
import type { Pair } from "../../../runtime/definition/align.ts";
import type { Window } from "../../../runtime/definition/frame.ts";
import { windowOperator } from "../../../runtime/windows/window_operator.ts";
import { query } from "../../../runtime/definition/query.ts";
import type { StreamingQueryProgress } from "../../../runtime/definition/progress.ts";
import { foreachBatch } from "../../../runtime/sinks/foreach.ts";
import { topic } from "../../../runtime/sinks/topic.ts";
import { pictureOf } from "../../../runtime/image/picture.ts";
import {
  addFrames,
  addFramesTo,
  checkAnswer,
  collect,
  crash,
  expectFailure,
  FakeClock,
  MemoryLog,
  runQuery,
  settle,
  startQuery,
  startStream,
  stopStream,
  testStream,
} from "../../../runtime/testing.ts";
import { accessUnits } from "../../support/access_units.ts";
import { Random } from "../../support/random.ts";
import { ending, pairsOf, randomClock } from "./pairs_model.ts";

const TOPIC = "VideoStreaming";
const stereo = (toleranceMs = 20, options = {}) =>
  query("stereo").readStream({ startingOffsets: "earliest", ...options })
    .align({ 0: 1 }, { toleranceMs });
const offsets = (pair: Pair) => [pair.offset, pair.other.offset];

async function logOf(...cameras: readonly (readonly number[])[]): Promise<MemoryLog> {
  const log = new MemoryLog();
  await log.createTopic(TOPIC, cameras.length);
  cameras.forEach((times, partition) => append(log, partition, times));
  return log;
}

function append(log: MemoryLog, partition: number, times: readonly number[]): void {
  log.append(
    TOPIC,
    partition,
    times.map((timestamp) => ({ key: null, value: new Uint8Array([1]), timestamp, headers: {} })),
  );
}

Deno.test("Pairs come when both cameras have gone on, in order, and once after a crash", async () => {
  await testStream<Pair>((sink) => stereo().writeStream(sink), [
    addFramesTo(1, 95, 205, 310),
    startStream(),
    addFrames(100, 200),
    checkAnswer([[0, 0]], offsets),
    crash(),
    addFrames(300, 400),
    startStream(),
    checkAnswer([[0, 0], [1, 1], [2, 2]], offsets),
    stopStream(),
    addFramesTo(1, 405, 500),
    startStream(),
    checkAnswer([[0, 0], [1, 1], [2, 2]], offsets),
    addFrames(500),
    checkAnswer([[0, 0], [1, 1], [2, 2], [3, 3]], offsets),
  ]);
});

Deno.test("A pair is a frame that says where its other frame is, in results and records", async () => {
  const log = await logOf([100, 200, 300], [90, 110, 205, 300]);
  const sink = collect<Pair>();
  await runQuery(stereo().writeStream(sink, topic({ name: "OUT" })).trigger("available-now"), {
    log,
  });
  assert.deepEqual(sink.outputs.map(offsets), [[0, 0], [1, 2]]);
  const [record] = log.frames("OUT", 0);
  assert.equal(record!.headers["source-partition"], "0");
  assert.equal(record!.headers["source-offset"], "0");
  assert.equal(record!.headers["other-partition"], "1");
  assert.equal(record!.headers["other-offset"], "0");
  assert.deepEqual(JSON.parse(record!.headers["result"]!).data, {
    other: { partition: 1, offset: 0, timestamp: 90 },
  });
});

Deno.test("Pairs, and batches that come again, are the same in any batching, with any restart and trigger", async () => {
  const random = Random.fromEnvironment(3);
  let pairs = 0;
  for (let round = 0; round < 10; round++) {
    const clocks = [0, 1].map(() => randomClock(random, random.whole(5, 60), round % 2 > 0));
    const end = ending(clocks.flat());
    const [left, right] = clocks.map((times) => [...times, ...end]);
    const log = await logOf([], []);
    const sink = collect<Pair>();
    const batches = new Map<number, string>();
    const where = `seed ${random.seed}, round ${round}`;
    const options = { maxFramesPerTrigger: random.whole(1, 9) };
    const definition = stereo(20, options).writeStream(
      sink,
      foreachBatch((outputs, { batchId }) => {
        const content = JSON.stringify((outputs as unknown as Pair[]).map(offsets));
        assert.equal(batches.get(batchId) ?? content, content, `${where}: batch ${batchId}`);
        batches.set(batchId, content);
      }),
    );
    const clock = new FakeClock(1_000_000);
    const kinds = ["asap", "available-now", "interval:100ms"] as const;
    for (let l = 0, r = 0; l < left!.length || r < right!.length;) {
      const points = ["plan", "before-commit", "after-commit"] as const;
      const [point, at] = [random.pick(points), random.whole(1, 6)];
      let calls = 0;
      log.fail = (reached) => {
        if (reached === point && ++calls === at) throw new Error("killed");
      };
      const running = startQuery(definition.trigger(random.pick(kinds)), { log, clock });
      for (let i = random.whole(1, 4); i > 0; i--) {
        append(log, 0, left!.slice(l, l += random.whole(0, 8)));
        append(log, 1, right!.slice(r, r += random.whole(0, 8)));
        await clock.advance(random.pick([0, 50, 100, 200]));
        await settle();
      }
      running.stop(random.pick(["drain", "move", "abort"]));
      await running.ended.catch((error) => {
        if (!/killed/.test(String(error))) throw error;
      });
    }
    log.fail = () => {};
    await runQuery(definition.trigger("available-now"), { log });
    const timed = (times: readonly number[]) =>
      times.map((timestamp, offset) => ({ offset, timestamp }));
    const expected = pairsOf(timed(left!), timed(right!), 20)
      .filter(([offset]) => offset < clocks[0]!.length);
    const seen = sink.outputs.map(offsets).filter(([offset]) => offset! < clocks[0]!.length);
    const batched = [...batches.entries()].sort(([a], [b]) => a - b)
      .flatMap(([, content]) => JSON.parse(content) as number[][])
      .filter(([offset]) => offset! < clocks[0]!.length);
    assert.deepEqual(batched, expected, where);
    // What was committed before a kill after the commit, this sink did not hear of.
    const known = new Set(expected.map(String));
    assert.ok(seen.every((pair) => known.has(String(pair))), where);
    assert.equal(new Set(seen.map(String)).size, seen.length, where);
    pairs += expected.length;
  }
  assert.ok(pairs > 60, `${pairs} pairs`);
});

Deno.test("A query that is new on a partition begins with the partners of its first frame", async () => {
  const times = Array.from({ length: 20 }, (_, i) => 1000 + i * 40);
  const log = await logOf(times, times);
  const sink = collect<Pair>();
  const running = startQuery(stereo(20, { startingOffsets: "-5 frames" }).writeStream(sink), {
    log,
    clock: new FakeClock(2000),
  });
  await settle();
  assert.deepEqual(sink.outputs.map(offsets), [15, 16, 17, 18].map((n) => [n, n]));
  running.stop();
  await running.ended;
  const odd = collect<Pair>();
  const definition = stereo().writeStream(odd).trigger("available-now");
  await runQuery(definition, { log: await logOf([9e6, ...times.slice(1)], times) });
  assert.deepEqual(odd.outputs.map(offsets)[0], [1, 1]);
});

Deno.test("A query that aligns from now on continues with the partners of its next frame", async () => {
  const times = Array.from({ length: 12 }, (_, i) => 1000 + i * 40);
  const log = await logOf(times.slice(0, 5), times.slice(0, 9), times.slice(0, 9));
  const before = query("stereo").readStream({ startingOffsets: "earliest" });
  await runQuery(before.writeStream(collect()).trigger("available-now"), { log });
  append(log, 0, times.slice(5, 8));
  const sink = collect<Pair>();
  const aligned = (other: number) =>
    before.align(other, { toleranceMs: 20 }).writeStream(sink).trigger("available-now");
  await runQuery(aligned(1), { log });
  assert.deepEqual(sink.outputs.map(offsets), [[5, 5], [6, 6]]);
  append(log, 0, times.slice(8));
  await runQuery(aligned(2), { log });
  assert.deepEqual(sink.outputs.slice(2).map(offsets), [[7, 7], [8, 8]]);
  assert.equal(sink.outputs.at(-1)!.other.partition, 2);
});

Deno.test("Windows of pairs are the same with a restart after every batch", async () => {
  const times = Array.from({ length: 30 }, (_, i) => 1000 + i * 40);
  const windows = async (step: number) => {
    const log = await logOf([], []);
    const sink = collect<Window>();
    for (let at = 0; at < 30; at += step) {
      append(log, 0, times.slice(at, at + step));
      append(log, 1, times.slice(at, at + step));
      const stream = stereo().filter(({ offset }) => offset % 7 !== 3)
        .process(windowOperator({ frames: 5, hop: 2 }));
      await runQuery(stream.writeStream(sink).trigger("available-now"), { log });
    }
    return sink.outputs.map(({ frames }) => frames.map((frame) => offsets(frame as Pair)));
  };
  const whole = await windows(30);
  assert.equal(whole.length, 11);
  assert.deepEqual(await windows(2), whole);
});

Deno.test("A silent camera is reported after 10 s, and until then and after its frames come all wait", async () => {
  const log = await logOf([100, 200, 300], [100]);
  const clock = new FakeClock(1000);
  const sink = collect<Pair>();
  const problems: (string | undefined)[] = [];
  const running = startQuery(stereo().writeStream(sink), {
    log,
    clock,
    onProblem: (problem) => void problems.push(problem?.reason),
  });
  await settle();
  assert.deepEqual(sink.outputs.map(offsets), []);
  await clock.advance(10_000);
  append(log, 1, [200, 300]);
  await settle();
  assert.deepEqual(problems, ["SILENT_CAMERA", undefined]);
  assert.deepEqual(sink.outputs.map(offsets), [[0, 0], [1, 1]]);
  running.stop();
  await running.ended;
});

Deno.test("Progress has both partitions, each with its lag", async () => {
  const log = await logOf([100, 200, 300], [100, 200, 300, 400, 500]);
  const progress: StreamingQueryProgress[] = [];
  await runQuery(stereo().writeStream(collect<Pair>()).trigger("available-now"), {
    log,
    onProgress: (one) => void progress.push(one),
  });
  const { sources } = progress.at(-1)!;
  assert.deepEqual(
    sources.map(({ description, endOffset, latestOffset }) => [
      description,
      endOffset[TOPIC],
      latestOffset[TOPIC],
    ]),
    [
      [`memory:/${TOPIC}/0`, { 0: 2 }, { 0: 3 }],
      [`memory:/${TOPIC}/1`, { 1: 1 }, { 1: 5 }],
    ],
  );
});

Deno.test("Frames of the other camera that were deleted stop the query, or are counted", async () => {
  const times = Array.from({ length: 10 }, (_, i) => 1000 + i * 40);
  const log = await logOf(times.slice(0, 5), times.slice(0, 5));
  const sink = collect<Pair>();
  const definition = (failOnDataLoss: boolean) =>
    stereo(20, { failOnDataLoss }).writeStream(sink).trigger("available-now");
  await runQuery(definition(true), { log });
  append(log, 0, times.slice(5));
  append(log, 1, times.slice(5));
  log.expire(TOPIC, 1, 7);
  await assert.rejects(
    runQuery(definition(true), { log }),
    /partition 1 from offset 3: 4 frames were deleted/,
  );
  const totals = await runQuery(definition(false), { log });
  assert.equal(totals.dropped, 4);
  assert.deepEqual(sink.outputs.map(offsets), [0, 1, 2, 3, 7, 8].map((n) => [n, n]));
});

Deno.test("Frames of the other camera that were deleted hide no gap of this one", async () => {
  const log = await logOf([], []);
  const add = (partition: number, ...numbers: number[]) =>
    log.append(
      TOPIC,
      partition,
      numbers.map((i) => ({
        key: `CAMERA-${partition + 1}`,
        value: new Uint8Array([1]),
        timestamp: 1000 + i * 40,
        headers: { session: "s", seq: String(i) },
      })),
    );
  const definition = stereo(20, { failOnDataLoss: false }).writeStream(collect<Pair>())
    .trigger("available-now");
  add(0, 0, 1, 2, 3, 5);
  add(1, 0, 1, 2, 3, 4);
  // The last frame waits for the next one.
  await runQuery(definition, { log });
  add(0, 6, 7, 8, 9);
  add(1, 5, 6, 7, 8, 9);
  log.expire(TOPIC, 1, 7);
  const { dropped, gaps } = await runQuery(definition, { log });
  assert.deepEqual([dropped, gaps], [4, 1]);
});

Deno.test("Access units of both cameras can be decoded, wherever the lane was stopped", async () => {
  const log = await logOf([], []);
  const units = await Promise.all([4, 5].map((gop) => accessUnits({ frames: 24, gop })));
  const sink = collect<{ offset: number; pictures: number[] }>();
  const definition = stereo().map(async ({ offset, ...pair }) => {
    const widths: number[] = [];
    for (const frame of [{ offset, ...pair }, pair.other]) {
      const picture = await pictureOf(frame);
      const grey = await picture.pixels(1, 1);
      widths.push(grey.width);
      grey.release();
      picture.release();
    }
    return { offset, pictures: widths };
  }).writeStream(sink).trigger("available-now");
  for (let at = 0; at < 24; at += 3) {
    for (const partition of [0, 1]) {
      const headers = { "content-type": "video/h264" };
      log.append(
        TOPIC,
        partition,
        units[partition]!.slice(at, at + 3).map((value, i) => ({
          key: null,
          value,
          timestamp: (at + i) * 40,
          headers,
        })),
      );
    }
    const { deadLettered, dropped } = await runQuery(definition, { log });
    assert.deepEqual([deadLettered, dropped], [0, 0]);
  }
  assert.deepEqual(
    sink.outputs.map(({ offset }) => offset),
    Array.from({ length: 23 }, (_, i) => i),
  );
  assert.ok(sink.outputs.every(({ pictures: [left, right] }) => left! > 0 && right! > 0));
});

Deno.test("What cannot be aligned is refused, with what is accepted", async () => {
  const stream = query("stereo").readStream();
  assert.throws(
    () => stream.align({ 0: 0 }, { toleranceMs: -1 }),
    /toleranceMs: expected a number from 0 up, given -1; the other camera: expected its partition/,
  );
  assert.throws(
    () => stereo(20, { endingOffsets: "latest" }).writeStream(collect<Pair>()),
    /align accepts .* no ending offsets.*available-now/,
  );
  assert.throws(
    () => stereo().writeStream(collect<Pair>()).overload("latest"),
    /align accepts only the overload policy wait/,
  );
  await testStream<Pair>((sink) => stream.align({ 3: 1 }, { toleranceMs: 1 }).writeStream(sink), [
    startStream(),
    expectFailure(
      /Cannot align partition 0 of VideoStreaming: query stereo aligns it with no other partition/,
    ),
  ]);
});
