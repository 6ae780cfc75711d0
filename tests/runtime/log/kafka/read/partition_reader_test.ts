/** The buffer of a partition. */
import assert from "node:assert/strict";
import { Epochs } from "../../../../../runtime/log/kafka/read/epochs.ts";
import { BufferedPartition } from "../../../../../runtime/log/kafka/read/partition_reader.ts";
import { METADATA } from "../../../../../runtime/log/kafka/protocol/topics.ts";
import { FETCH } from "../../../../../runtime/log/kafka/read/fetch.ts";
import { encodeBatch } from "../../../../../runtime/log/kafka/records/encoder.ts";
import { until } from "../../../../support/until.ts";
import { batch, fetched, metadata, withBroker } from "../net/lies_kit.ts";

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

Deno.test("readers of one partition share no memory: an operator may change its frames", async () => {
  const script = ({ key }: { key: number }) => key === FETCH.key ? fetched(batch()) : "well";
  await withBroker(script, async (log, broker) => {
    const reader = await log.reader({ maxBufferedFrames: 1 });
    const both = [await reader.open("t", 0, 5), await reader.open("t", 0, 5)] as const;
    await until("both are full", () => both.every(({ buffered }) => buffered === 1));
    const asked = broker.seen.length;
    for (const one of both) one.seek(5);
    const [[first], [second]] = await Promise.all([both[0].read(1), both[1].read(1)]);
    assert.equal(broker.seen[asked]!.key, FETCH.key);
    first!.value.fill(9);
    assert.deepEqual(second!.value, new Uint8Array(3));
  });
});

Deno.test("a topic that its broker and the cluster do not know for a moment is read on", async () => {
  const UNKNOWN_TOPIC_OR_PARTITION = 3;
  let unknown = false;
  await withBroker(({ key }, before) => {
    if (key === FETCH.key) {
      unknown = before === 0;
      return unknown ? { errorCode: UNKNOWN_TOPIC_OR_PARTITION } : fetched(batch());
    }
    if (key !== METADATA.key || !unknown) return "well";
    unknown = false;
    return metadata((all) => all.topics = []);
  }, async (log) => {
    const partition = await (await log.reader()).open("t", 0, 5);
    const [frame] = await partition.read(1);
    assert.equal(frame!.offset, 5);
  });
});
