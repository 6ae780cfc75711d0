/** Where a query that is new on a partition begins in the partition of the other camera. */
import assert from "node:assert/strict";
import type { Pair } from "../../../runtime/definition/align.ts";
import type { StreamingQueryProgress } from "../../../runtime/definition/progress.ts";
import { query } from "../../../runtime/definition/query.ts";
import { collect, MemoryLog, runQuery } from "../../../runtime/testing.ts";

const TOPIC = "VideoStreaming";

/** The pairs that two cameras' frames give, and the first offset that is read of the right one. */
async function aligned(...cameras: readonly [left: readonly number[], right: readonly number[]]) {
  const log = new MemoryLog();
  await log.createTopic(TOPIC, 2);
  for (const [partition, times] of cameras.entries()) {
    const rest = { key: null, value: new Uint8Array([1]), headers: {} };
    log.append(TOPIC, partition, times.map((timestamp) => ({ ...rest, timestamp })));
  }
  const sink = collect<Pair>();
  const progress: StreamingQueryProgress[] = [];
  const definition = query("stereo").readStream({ startingOffsets: "earliest" })
    .align({ 0: 1 }, { toleranceMs: 20 });
  await runQuery(definition.writeStream(sink).trigger("available-now"), {
    log,
    onProgress: (one) => void progress.push(one),
  });
  const [, right] = progress[0]!.sources;
  return {
    pairs: sink.outputs.map((pair) => [pair.offset, pair.other.offset]),
    from: right!.startOffset![TOPIC]!["1"],
  };
}

const every = (ms: number, count: number, from: number) =>
  Array.from({ length: count }, (_, i) => from + i * ms);

Deno.test("a frame of a camera whose clock was not set makes it read no backlog", async () => {
  const right = every(40, 500, 1e9);
  const left = right.slice(480);
  const { pairs, from } = await aligned([...left.slice(0, 3), 0, ...left.slice(4)], right);
  assert.equal(from, 480);
  assert.deepEqual(pairs.slice(0, 2), [[0, 480], [1, 481]]);
});

Deno.test("frames far before the others of their camera get their partners", async () => {
  // A picture a minute, and a camera that was off for a day.
  for (
    const left of [every(60_000, 20, 1e9), [...every(40, 3, 1e9), ...every(40, 17, 1e9 + 9e7)]]
  ) {
    const { pairs } = await aligned(left, left);
    assert.deepEqual(pairs.slice(0, 3), [[0, 0], [1, 1], [2, 2]]);
  }
});
