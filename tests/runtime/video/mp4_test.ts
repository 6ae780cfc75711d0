import assert from "node:assert/strict";
import type { Track } from "../../../runtime/video/container.ts";
import { FrameIndex } from "../../../runtime/video/frame_index.ts";
import { mp4 } from "../../../runtime/video/mp4.ts";
import { nextPoint } from "../../../runtime/video/timeline.ts";

const track: Track = {
  width: 64,
  height: 48,
  startTimestamp: 1_700_000_000_000,
  configuration: new Uint8Array([1, 100, 0, 10, 255, 224, 0]).toBase64(),
};

/** Contents of the first box of a type, wherever it is. */
function find(bytes: Uint8Array, type: string): DataView {
  const text = Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");
  const at = text.indexOf(type);
  assert.notEqual(at, -1, `no ${type}`);
  const size = new DataView(bytes.buffer, bytes.byteOffset).getUint32(at - 4);
  return new DataView(bytes.buffer, bytes.byteOffset + at + 4, size - 8);
}

Deno.test("mp4: positions beyond 4 GiB are written with 64 bits", () => {
  const entries = Array.from(
    { length: 5 },
    (_, index) => ({ size: 1_500_000_000, key: index === 0, step: 40 }),
  );
  const index = new FrameIndex(FrameIndex.encode(entries));
  const header = mp4.header(track).length;
  const length = header + 5 * 1_500_000_108;
  const { tail, patch } = mp4.finish(track, index, length, 33);
  const positions = find(tail, "co64");
  assert.equal(positions.getUint32(4), 5);
  for (let i = 0; i < 5; i++) {
    assert.equal(Number(positions.getBigUint64(8 + 8 * i)), header + 108 + i * 1_500_000_108);
  }
  const sizes = find(tail, "stsz");
  assert.equal(sizes.getUint32(12), 1_500_000_000);
  // Four pictures of 40 ms and a last one of 33.
  const times = find(tail, "stts");
  assert.deepEqual([4, 8, 12, 16, 20].map((at) => times.getUint32(at)), [2, 4, 40, 1, 33]);
  assert.equal(Number(find(tail, "mvhd").getBigUint64(24)), 4 * 40 + 33);
  const keys = find(tail, "stss");
  assert.deepEqual([keys.getUint32(4), keys.getUint32(8)], [1, 1]);
  assert.equal(Number(new DataView(patch.bytes.buffer).getBigUint64(8)), length - patch.position);
});

Deno.test("mp4: a million pictures have an index", () => {
  const bytes = new Uint8Array(8_000_000);
  const view = new DataView(bytes.buffer);
  for (let i = 0; i < 1_000_000; i++) {
    view.setUint32(8 * i, 5000 + (i % 50 === 0 ? 0x80000000 : 0));
    view.setUint32(8 * i + 4, 40);
  }
  const { tail } = mp4.finish(track, new FrameIndex(bytes), 6_000_000_000, 40);
  const last = new DataView(tail.buffer, tail.length - 8_000_016);
  assert.equal(last.getUint32(0), 8_000_016);
  assert.equal(last.getUint32(12), 1_000_000);
});

Deno.test("timeline: times only grow, whatever clocks do", () => {
  let point = nextPoint(undefined, 5000);
  const times = [point.time];
  for (const timestamp of [5050, 5050, 4000, 4100, 4100 + 25 * 3_600_000, 4200 + 25 * 3_600_000]) {
    point = nextPoint(point, timestamp);
    times.push(point.time);
  }
  assert.deepEqual(times, [0, 50, 100, 150, 250, 350, 450]);
});
