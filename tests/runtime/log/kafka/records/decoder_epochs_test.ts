/** Which leader wrote which records, when one fetch brings those of several. */
import assert from "node:assert/strict";
import { Epochs } from "../../../../../runtime/log/kafka/read/epochs.ts";
import { encodeBatch } from "../../../../../runtime/log/kafka/records/encoder.ts";
import { decodeBatches } from "./decode.ts";

/** A batch as a broker keeps it: with its place and the epoch of its leader. */
function batch(base: number, count: number, epoch: number): Uint8Array {
  const record = {
    topic: "t",
    partition: 0,
    key: null,
    value: new Uint8Array(3),
    timestamp: 1,
    headers: {},
  };
  const bytes = encodeBatch(Array.from({ length: count }, () => record), {
    identity: { producerId: -1n, epoch: -1 },
    sequence: -1,
    transactional: false,
  }).slice();
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  view.setBigInt64(0, BigInt(base));
  view.setInt32(12, epoch);
  return bytes;
}

Deno.test("each epoch of a fetch is remembered from its first record on", () => {
  const parts = [batch(10, 5, 3), batch(15, 2, 3), batch(17, 30, 4), batch(50, 1, 6)];
  const bytes = new Uint8Array(parts.flatMap((part) => [...part]));
  const { epochs, next } = decodeBatches(bytes, {
    topic: "t",
    partition: 0,
    from: 12,
    aborted: [],
    limit: { frames: 100, bytes: Infinity },
  });
  assert.equal(next, 51);
  assert.deepEqual(epochs, [
    { epoch: 3, from: 12, to: 17 },
    { epoch: 4, from: 17, to: 47 },
    { epoch: 6, from: 50, to: 51 },
  ]);
  const seen = new Epochs();
  for (const one of epochs) seen.observe("t", 0, one);
  const before = (offset: number) => seen.before("t", 0, offset);
  assert.deepEqual([12, 13, 17, 18, 40, 47, 51].map(before), [-1, 3, 3, 4, 4, 4, 6]);
  // What was not read may be of any epoch.
  assert.deepEqual([48, 50, 52, 900].map(before), [-1, -1, -1, -1]);
  seen.observe("t", 0, { epoch: 6, from: 60, to: 70 });
  assert.deepEqual([55, 70, 71].map(before), [6, 6, -1]);
});
