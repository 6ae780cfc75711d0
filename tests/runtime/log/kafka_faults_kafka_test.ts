/** What happens to a log when its broker is stopped, held, emptied: on brokers of the test's own. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { retry } from "../../support/retry.ts";
import { LogError, type LogRecord } from "../../../runtime/log/log.ts";
import { openLog } from "../../../runtime/log/open.ts";
import { rejectsWith, take, text } from "../../contracts/log_contract_kit.ts";
import { openPatiently, withAdmin, withKafka } from "../../support/kafka.ts";
import { until } from "../../support/until.ts";

const record = (value: string): LogRecord => ({
  key: null,
  value: new TextEncoder().encode(value),
  timestamp: Date.now(),
  headers: {},
});
const numbered = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, i) => record(`${from + i}`));

Deno.test("readers and producers continue by themselves after a restart", async () => {
  await withKafka({}, async (kafka) => {
    const log = await openLog(`kafka://${kafka.bootstrap}`, { timeoutMs: 2_000 });
    await retry(() => log.createTopic("frames", 2));
    const producer = await log.producer();
    const reader = await log.reader();
    const partitions = [await reader.open("frames", 0, 0), await reader.open("frames", 1, 0)];
    const published = (async () => {
      for (let i = 0; i < 200; i++) {
        for (const partition of [0, 1]) {
          const records = [record(`${i}`)];
          // The same records again: stored once, whatever became of the first attempt.
          await retry(() => producer.append("frames", partition, records));
        }
      }
    })();
    await take(partitions[0]!, 20);
    await kafka.nodes[0]!.stop();
    await until("the reader notices", () => partitions[0]!.status === "waiting-for-log");
    await kafka.nodes[0]!.start();
    await published;
    assert.deepEqual(
      (await take(partitions[0]!, 180)).map((frame) => text(frame.value)),
      Array.from({ length: 180 }, (_, i) => `${i + 20}`),
    );
    const other = await take(partitions[1]!, 200);
    assert.deepEqual(other.map((frame) => frame.offset), Array.from({ length: 200 }, (_, i) => i));
    assert.equal(partitions[0]!.status, "reading");
    await log.close();
  });
});

Deno.test("a broker that is away or held is reported in time, by its address", async () => {
  await withKafka({}, async (kafka) => {
    const log = await openLog(`kafka://${kafka.bootstrap}`, { timeoutMs: 1_000 });
    await retry(() => log.createTopic("frames", 1));
    const producer = await log.producer();
    await retry(() => producer.append("frames", 0, [record("0")]));
    const reader = await log.reader();
    const partition = await retry(() => reader.open("frames", 0, 0));
    await take(partition, 1);
    await kafka.pause();
    for (
      const call of [
        () => log.topics(),
        () => log.createTopic("more", 1),
        () => log.offsets("frames", 0),
        () => producer.append("frames", 0, [record("held")]),
        () => log.committer({ group: "g", query: "q", topic: "frames", partition: 0 }),
        () => log.joinGroup({ group: "g", topic: "frames", onAssignment: () => Promise.resolve() }),
      ]
    ) {
      const error = await rejectsWith("UNREACHABLE", call);
      assert.ok(error.message.includes(kafka.bootstrap), error.message);
      assert.equal(error.retryable, true);
    }
    kafka.resume();
    await retry(() => producer.append("frames", 0, [record("1")]));
    assert.ok((await take(partition, 1)).length === 1);
    await kafka.nodes[0]!.stop();
    await rejectsWith("UNREACHABLE", () => log.topics());
    await log.close();
  });
});

Deno.test("a topic that was deleted, and made again, is never read on as if nothing was", async () => {
  await withKafka({}, async (kafka) => {
    const log = await openPatiently(`kafka://${kafka.bootstrap}`);
    await log.createTopic("frames", 1);
    const producer = await log.producer();
    await producer.append("frames", 0, numbered(0, 10));
    const reader = await log.reader();
    const waiting = await reader.open("frames", 0, 10);
    const behind = await reader.open("frames", 0, 0);
    await take(behind, 5, 1);
    const missing = rejectsWith("TOPIC_MISSING", () => waiting.read(1));
    await withAdmin((admin) => admin.deleteTopics({ topics: ["frames"] }), kafka.bootstrap);
    await missing;
    await log.createTopic("frames", 1);
    await (await log.producer()).append("frames", 0, numbered(100, 120));
    // Offset 10 is there again, and holds another frame.
    waiting.seek(10);
    const error = await rejectsWith("OFFSET_OUT_OF_RANGE", () => waiting.read(1));
    assert.deepEqual(error.range, { earliest: 0, latest: 20 });
    assert.match(error.message, /created again/);
    waiting.seek(0);
    assert.deepEqual((await take(waiting, 20)).map((f) => text(f.value))[0], "100");
    await log.close();
  });
});

Deno.test("a partition whose disk was lost is not read on beyond what was read", async () => {
  const dataDir = await Deno.makeTempDir();
  try {
    await withKafka({ dataDir }, async (kafka) => {
      const url = `kafka://${kafka.bootstrap}`;
      const log = await openPatiently(url);
      await log.createTopic("frames", 1);
      const producer = await log.producer();
      await producer.append("frames", 0, numbered(0, 100));
      const reader = await log.reader();
      const partition = await reader.open("frames", 0, 0);
      await take(partition, 100);
      const owned = { group: "g", query: "q", topic: "frames", partition: 0 };
      const committer = await log.committer(owned);
      const batch = { batchId: 0, start: 0, end: 100 };
      await committer.plan(batch);
      await committer.commit(batch, { end: 100, restart: 90 }, []);
      await kafka.nodes[0]!.stop();
      const lost = join(dataDir, "node-1", "data", "frames-0");
      for (const { name } of Deno.readDirSync(lost)) {
        if (!name.endsWith("metadata")) await Deno.remove(join(lost, name));
      }
      await kafka.nodes[0]!.start();
      const other = await openPatiently(url);
      await (await other.producer()).append("frames", 0, numbered(1_000, 1_150));
      const error = await rejectsWith("OFFSET_OUT_OF_RANGE", () => partition.read(1));
      assert.deepEqual(error.range, { earliest: 0, latest: 150 });
      // A new process knows it from the checkpoint.
      const { committed } = await other.committer(owned);
      assert.equal(committed!.restart, 90);
      const later = await (await other.reader()).open("frames", 0, committed!.restart);
      await rejectsWith("OFFSET_OUT_OF_RANGE", () => later.read(1));
      later.seek(0);
      assert.equal(text((await take(later, 1))[0]!.value), "1000");
      await Promise.all([log.close(), other.close()]);
    });
  } finally {
    await Deno.remove(dataDir, { recursive: true });
  }
});

Deno.test("three brokers: the leader is killed, nothing is lost or doubled", async () => {
  await withKafka({ nodes: 3 }, async (kafka) => {
    const log = await openPatiently(`kafka://${kafka.bootstrap}`);
    await log.createTopic("frames", 3);
    await log.createTopic("out", 3);
    const producer = await log.producer();
    const reader = await log.reader();
    const partitions = await Promise.all([0, 1, 2].map((p) => reader.open("frames", p, 0)));
    const published = Promise.all([0, 1, 2].map(async (partition) => {
      for (let i = 0; i < 300; i++) {
        const records = [record(`${i}`)];
        await retry(() => producer.append("frames", partition, records));
      }
    }));
    await take(partitions[0]!, 20);
    await kafka.nodes[1]!.kill();
    const wanted = Array.from({ length: 300 }, (_, i) => i);
    await published;
    const first = await take(partitions[0]!, 280);
    assert.deepEqual(first.map((f) => Number(text(f.value))), wanted.slice(20));
    for (const partition of [1, 2]) {
      const frames = await take(partitions[partition]!, 300);
      assert.deepEqual(frames.map((f) => Number(text(f.value))), wanted);
    }
    const committer = await retry(() =>
      log.committer({ group: "g", query: "q", topic: "frames", partition: 0 })
    );
    const batch = { batchId: 0, start: 0, end: 300 };
    await committer.plan(batch);
    await committer.commit(batch, { end: 300, restart: 300 }, [
      { ...record("result"), topic: "out", partition: 0 },
    ]);
    assert.equal((await log.offsets("out", 0)).latest >= 1, true);
    await log.close();
  });
});

Deno.test("a wrong address is reported at once", async () => {
  const log = await openLog("kafka://127.0.0.1:9", { timeoutMs: 1_000 });
  const error = await rejectsWith("UNREACHABLE", () => log.topics());
  assert.ok(error instanceof LogError);
  assert.match(error.message, /127\.0\.0\.1:9: connection refused/);
  await log.close();
});
