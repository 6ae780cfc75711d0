import assert from "node:assert/strict";
import { FrameBuffer } from "../../cameras/frame_buffer.ts";

const BATCH_BYTES = 1_000_000;

/** Unit n of a stream with a keyframe each four units. */
function unit(n: number) {
  const headers = { "content-type": "video/h264", ...(n % 4 === 0 ? { keyframe: "1" } : {}) };
  return { record: { key: "CAMERA-1", value: Uint8Array.of(n), timestamp: n, headers } };
}

const taken = (buffer: FrameBuffer) => buffer.nextBatch().map(({ record }) => record.value[0]!);

Deno.test("drop-oldest drops a unit with what hangs on it, up to the next keyframe", () => {
  const buffer = new FrameBuffer(5, BATCH_BYTES);
  for (let n = 0; n < 6; n++) buffer.offer(unit(n), "drop-oldest");
  assert.deepEqual(taken(buffer), [4, 5]);
  assert.equal(buffer.dropped.overflow, 4);
});

Deno.test("Where no keyframe waits, what comes is dropped until one does", () => {
  for (const policy of ["drop-oldest", "drop-newest"] as const) {
    const buffer = new FrameBuffer(2, BATCH_BYTES);
    for (let n = 0; n < 3; n++) buffer.offer(unit(n), policy);
    assert.deepEqual(taken(buffer), policy === "drop-oldest" ? [] : [0, 1]);
    for (let n = 3; n < 6; n++) buffer.offer(unit(n), policy);
    assert.deepEqual(taken(buffer), [4, 5], policy);
    assert.equal(buffer.dropped.overflow, policy === "drop-oldest" ? 4 : 2);
  }
});

Deno.test("What hangs on a unit that the log refused goes with it", () => {
  const buffer = new FrameBuffer(10, BATCH_BYTES);
  for (const n of [1, 2]) buffer.offer(unit(n), "wait");
  buffer.dropDependents("too-large");
  for (const n of [3, 4, 5]) buffer.offer(unit(n), "wait");
  assert.deepEqual(taken(buffer), [4, 5]);
  assert.equal(buffer.dropped["too-large"], 3);
});
