/** Other clients on the same topics and groups: KafkaJS, and the Kafka client's own consumer. */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import {
  Connection,
  Consumer,
  MessagesStreamModes,
  offsetCommitV8,
  stringDeserializers,
} from "@platformatic/kafka";
import { AssignerProtocol, CompressionTypes } from "kafkajs";
import type { Compression, LogRecord, TopicLog } from "../../../runtime/log/log.ts";
import { transactionalId } from "../../../runtime/log/kafka/checkpoint/owner.ts";
import {
  append,
  eventually,
  join,
  record,
  rejectsWith,
  take,
  text,
  withCommitter,
} from "../../contracts/log_contract_kit.ts";
import { kafkaAddress, openPatiently, uniqueName } from "../../support/kafka.ts";
import { kafkajs } from "../../support/kafkajs.ts";

async function withLog(test: (log: TopicLog) => Promise<void>): Promise<void> {
  const log = await openPatiently();
  try {
    await test(log);
  } finally {
    await log.close();
  }
}

const batch = (batchId: number, start: number, end: number) => ({ batchId, start, end });

Deno.test("frames of a foreign producer, without key or headers, compressed", () =>
  withLog(async (log) => {
    const topic = uniqueName("foreign");
    await log.createTopic(topic, 2);
    const producer = kafkajs().producer();
    await producer.connect();
    const jpeg = Buffer.from([0xff, 0xd8, 0xff, 0xd9]);
    await producer.send({ topic, messages: [{ value: jpeg, partition: 1 }] });
    await producer.send({
      topic,
      compression: CompressionTypes.GZIP,
      messages: Array.from({ length: 20 }, (_, i) => ({ value: `zip ${i}`, partition: 1 })),
    });
    await producer.disconnect();
    const reader = await (await log.reader()).open(topic, 1, 0);
    const [first, ...zipped] = await take(reader, 21);
    assert.deepEqual(first!.value, new Uint8Array(jpeg));
    assert.equal(first!.key, null);
    assert.deepEqual(first!.headers, {});
    assert.ok(Math.abs(first!.timestamp - Date.now()) < 60_000);
    assert.deepEqual(
      zipped.map((f) => text(f.value)),
      Array.from({ length: 20 }, (_, i) => `zip ${i}`),
    );
    assert.deepEqual(zipped.map((f) => f.offset), Array.from({ length: 20 }, (_, i) => i + 1));
  }));

Deno.test("every compression is read by another client and by us", () =>
  withLog(async (log) => {
    for (const compression of ["none", "gzip", "snappy", "lz4", "zstd"] as Compression[]) {
      const topic = uniqueName(compression);
      await log.createTopic(topic, 1);
      const values = Array.from({ length: 50 }, (_, i) => `${i} ${"frame ".repeat(i)}`);
      const producer = await log.producer({ compression });
      await producer.append(
        topic,
        0,
        values.map((value) => record(value, { headers: { seq: value.slice(0, 2) } })),
      );
      const ours = await take(await (await log.reader()).open(topic, 0, 0), 50);
      assert.deepEqual(ours.map((f) => text(f.value)), values, compression);
      const consumer = new Consumer({
        clientId: "foreign",
        groupId: uniqueName("group"),
        bootstrapBrokers: [kafkaAddress()],
        deserializers: stringDeserializers,
      });
      const stream = await consumer.consume({
        topics: [topic],
        mode: MessagesStreamModes.EARLIEST,
        autocommit: false,
        maxWaitTime: 100,
      });
      const theirs: string[] = [];
      for await (const message of stream) {
        theirs.push(message.value!);
        assert.equal(message.headers.get("seq"), message.value!.slice(0, 2));
        if (theirs.length === values.length) break;
      }
      assert.deepEqual(theirs, values, compression);
      await stream.close();
      await consumer.close(true);
    }
  }));

Deno.test("committed outputs, and only those, are read by another client", () =>
  withLog(async (log) => {
    const [topic, out] = [uniqueName("source"), uniqueName("out")];
    await log.createTopic(topic, 1);
    const output = (value: string, fields: Partial<LogRecord> = {}) => ({
      topic: out,
      partition: 0,
      ...record(value, { timestamp: 1_700_000_000_123, ...fields }),
    });
    const owned = { group: uniqueName("group"), query: "q", topic, partition: 0 };
    await withCommitter(log, { ...owned, outputTopics: [out] }, async (committer) => {
      await committer.plan(batch(0, 0, 1));
      await committer.commit(batch(0, 0, 1), { end: 1, restart: 1 }, [
        output("first", { headers: { query: "q", "source-offset": "0" } }),
        output("no key", { key: null }),
      ]);
      await committer.plan(batch(1, 1, 2));
      await rejectsWith(
        "TOO_LARGE",
        () =>
          committer.commit(batch(1, 1, 2), { end: 2, restart: 2 }, [
            output("aborted"),
            output("", { value: new Uint8Array(17 * 1024 * 1024) }),
          ]),
      );
    });
    await withCommitter(log, { ...owned, outputTopics: [out] }, async (committer) => {
      await committer.plan(batch(1, 1, 2));
      await committer.commit(batch(1, 1, 2), { end: 2, restart: 2 }, [output("second")]);
    });
    const consumer = kafkajs().consumer({ groupId: uniqueName("reader"), maxWaitTimeInMs: 100 });
    await consumer.connect();
    await consumer.subscribe({ topic: out, fromBeginning: true });
    const got: { key: string | undefined; value: string; timestamp: string; headers: unknown }[] =
      [];
    await consumer.run({
      autoCommit: false,
      // deno-lint-ignore require-await
      eachMessage: async ({ message: { key, value, timestamp, headers } }) => {
        got.push({
          key: key?.toString(),
          value: value!.toString(),
          timestamp,
          headers: Object.fromEntries(
            Object.entries(headers ?? {}).map(([name, header]) => [name, header!.toString()]),
          ),
        });
      },
    });
    await eventually("three records", () => got.length >= 3);
    await consumer.disconnect();
    assert.deepEqual(got.map(({ value }) => value), ["first", "no key", "second"]);
    assert.deepEqual(got[0], {
      key: "CAMERA-1",
      value: "first",
      timestamp: "1700000000123",
      headers: { query: "q", "source-offset": "0" },
    });
    assert.equal(got[1]!.key, undefined);
  }));

Deno.test("transactions that others abort or leave open are not seen", () =>
  withLog(async (log) => {
    const topic = uniqueName("aborted");
    await log.createTopic(topic, 1);
    const foreign = kafkajs().producer({
      transactionalId: uniqueName("tx"),
      maxInFlightRequests: 1,
      idempotent: true,
    });
    await foreign.connect();
    const send = async (value: string, end: "commit" | "abort" | "leave") => {
      const transaction = await foreign.transaction();
      await transaction.send({ topic, messages: [{ value, partition: 0 }] });
      if (end !== "leave") await transaction[end]();
      return transaction;
    };
    await append(log, topic, 0, [record("plain 0")]);
    await send("aborted 0", "abort");
    await send("committed", "commit");
    await append(log, topic, 0, [record("plain 1")]);
    await send("aborted 1", "abort");
    const open = await send("open", "leave");
    await append(log, topic, 0, [record("behind the open one")]);
    const reader = await (await log.reader()).open(topic, 0, 0);
    const seen = (await take(reader, 3)).map((f) => text(f.value));
    assert.deepEqual(seen, ["plain 0", "committed", "plain 1"]);
    const { latest } = await log.offsets(topic, 0);
    assert.equal(reader.latest, latest);
    assert.equal(reader.buffered, 0);
    await open.abort();
    assert.deepEqual((await take(reader, 1)).map((f) => text(f.value)), ["behind the open one"]);
    await foreign.disconnect();
  }));

Deno.test("a new owner ends what its predecessor left open", () =>
  withLog(async (log) => {
    const [topic, out] = [uniqueName("source"), uniqueName("out")];
    await log.createTopic(topic, 1);
    await log.createTopic(out, 1);
    const owned = { group: uniqueName("group"), query: "q", topic, partition: 0 };
    // The predecessor: it dies after it has written its output.
    const dead = kafkajs().producer({
      transactionalId: transactionalId(owned),
      maxInFlightRequests: 1,
      idempotent: true,
      transactionTimeout: 600_000,
    });
    await dead.connect();
    const transaction = await dead.transaction();
    await transaction.send({ topic: out, messages: [{ value: "never committed", partition: 0 }] });
    const reader = await (await log.reader()).open(out, 0, 0);
    await withCommitter(log, { ...owned, outputTopics: [out] }, async (committer) => {
      await committer.plan(batch(0, 0, 1));
      await committer.commit(batch(0, 0, 1), { end: 1, restart: 1 }, [
        { topic: out, partition: 0, ...record("committed") },
      ]);
    });
    assert.deepEqual((await take(reader, 1)).map((f) => text(f.value)), ["committed"]);
    await assert.rejects(
      transaction.send({ topic: out, messages: [{ value: "zombie", partition: 0 }] }),
    );
    await dead.disconnect();
  }));

Deno.test("a group is readable by any tool: its offsets, its members, their partitions", () =>
  withLog(async (log) => {
    const [topic, group] = [uniqueName("source"), uniqueName("group")];
    await log.createTopic(topic, 3);
    const member = await join(log, { group, topic });
    await eventually("all partitions", () => member.held()?.length === 3);
    const owned = { group, query: "greyscale", topic, membership: member.membership() };
    for (const partition of [0, 2]) {
      await withCommitter(log, { ...owned, partition }, async (committer) => {
        await committer.plan(batch(0, 0, 7 + partition));
        const end = 7 + partition;
        await committer.commit(batch(0, 0, end), { end, restart: end }, []);
      });
    }
    const admin = kafkajs().admin();
    await admin.connect();
    const [offsets] = await admin.fetchOffsets({ groupId: group, topics: [topic] });
    assert.deepEqual(
      offsets!.partitions.toSorted((a, b) => a.partition - b.partition).map(({ offset }) => offset),
      ["7", "-1", "9"],
    );
    const { groups: [described] } = await admin.describeGroups([group]);
    assert.equal(described!.state, "Stable");
    assert.equal(described!.protocolType, "consumer");
    assert.equal(described!.members.length, 1);
    assert.deepEqual(
      AssignerProtocol.MemberAssignment.decode(described!.members[0]!.memberAssignment)!.assignment,
      { [topic]: [0, 1, 2] },
    );
    await member.member.leave();
    await admin.disconnect();
  }));

Deno.test("offsets that somebody resets are honoured, batch numbers continue", () =>
  withLog(async (log) => {
    const [topic, group] = [uniqueName("source"), uniqueName("group")];
    await log.createTopic(topic, 1);
    await append(log, topic, 0, Array.from({ length: 30 }, (_, i) => record(`${i}`)));
    const owned = { group, query: "greyscale", topic, partition: 0 };
    const queryId = await withCommitter(log, owned, async (committer) => {
      await committer.plan(batch(0, 0, 20));
      await committer.commit(batch(0, 0, 20), { end: 20, restart: 12 }, []);
      return committer.queryId;
    });
    const admin = kafkajs().admin();
    await admin.connect();
    await admin.setOffsets({ groupId: group, topic, partitions: [{ partition: 0, offset: "5" }] });
    await withCommitter(log, owned, async (committer) => {
      assert.deepEqual(committer.committed, { batchId: 0, end: 5, restart: 5 });
      assert.equal(committer.queryId, queryId);
      await committer.plan(batch(1, 5, 6));
      await committer.commit(batch(1, 5, 6), { end: 6, restart: 6 }, []);
    });
    await withCommitter(log, owned, (committer) => {
      assert.deepEqual(committer.committed, { batchId: 1, end: 6, restart: 6 });
      return Promise.resolve();
    });
    await admin.disconnect();
  }));

Deno.test("a checkpoint that is newer or damaged is refused by name", () =>
  withLog(async (log) => {
    const topic = uniqueName("source");
    await log.createTopic(topic, 1);
    for (
      const [metadata, code] of [
        ['{"framelane":2,"anything":"else"}', "CHECKPOINT_NEWER"],
        ['{"framelane":1,"id":"x"', "CHECKPOINT_CORRUPT"],
        ['{"framelane":1,"id":"x","query":"q","batch":0,"restart":99}', "CHECKPOINT_CORRUPT"],
        [
          '{"framelane":1,"id":"x","query":"q","batch":0,"restart":5,"stateAt":[0,4611686018427387]}',
          "CHECKPOINT_CORRUPT",
        ],
      ] as const
    ) {
      const group = uniqueName("group-q");
      const owned = { group: `${group}-q`, query: "q", topic, partition: 0 };
      await commitOffset(owned.group, topic, metadata);
      const error = await rejectsWith(code, () => log.committer(owned));
      assert.match(error.message, new RegExp(`query q on ${topic} partition 0`));
    }
  }));

/** Commits offset 5 of partition 0 with this metadata. */
async function commitOffset(group: string, topic: string, metadata: string): Promise<void> {
  const [host, port] = kafkaAddress().split(":");
  const connection = new Connection("foreign");
  await connection.connect(host!, Number(port));
  await offsetCommitV8.api.async(connection, group, -1, "", null, [{
    name: topic,
    partitions: [{
      partitionIndex: 0,
      committedOffset: 5n,
      committedLeaderEpoch: -1,
      committedMetadata: metadata,
    }],
  }]);
  await connection.close();
}
