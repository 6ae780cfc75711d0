/** The buffer of a partition. */
import assert from "node:assert/strict";
import { Epochs } from "../../../../../runtime/log/kafka/read/epochs.ts";
import { BufferedPartition } from "../../../../../runtime/log/kafka/read/partition_reader.ts";
import { encodeBatch } from "../../../../../runtime/log/kafka/records/encoder.ts";

Deno.test("a frame that does not fit beside those that wait is decoded once they are read", async () => {
  const owner = { changed() {}, closed() {} };
  const place = { topic: "t", partition: 0 };
  const leader = { broker: { host: "h", port: 1 }, brokerId: 1, epoch: -1, topicId: "" };
  const bounds = { frames: 8, bytes: 1_000 };
  const epochs = new Epochs();
  const reader = new BufferedPartition(owner, bounds, { ...place, offset: 0, leader, epochs });
  const batches = encodeBatch([100, 100, 950].map((length) => ({
    key: null,
    value: new Uint8Array(length),
    timestamp: 1,
    headers: {},
  })));
  const offsets = { highWatermark: 3, lastStableOffset: 3 };
  const rest = { aborted: [], preferredReplica: -1, diverged: false, errorCode: 0 };
  assert.equal(reader.fill({ ...place, ...offsets, ...rest, batches }), undefined);
  const lengths: number[] = [];
  while (lengths.length < 3) {
    const [frame] = await reader.read(1);
    lengths.push(frame!.value.length);
    assert.ok(reader.buffered <= 1);
  }
  assert.deepEqual(lengths, [100, 100, 950]);
});
