/** Brokers that answer, but wrongly: what was asked is asked again, ends in time, and says what is wrong. */
import assert from "node:assert/strict";
import { Semaphore, withDeadline } from "../../../../../runtime/base/wait.ts";
import { PRODUCE, produce } from "../../../../../runtime/log/kafka/append/produce.ts";
import { Connection } from "../../../../../runtime/log/kafka/net/connection.ts";
import { API_VERSIONS } from "../../../../../runtime/log/kafka/protocol/api.ts";
import { LIST_GROUPS, OFFSET_FETCH } from "../../../../../runtime/log/kafka/protocol/groups.ts";
import {
  CREATE_PARTITIONS,
  FIND_COORDINATOR,
  METADATA,
} from "../../../../../runtime/log/kafka/protocol/topics.ts";
import { FETCH, fetchPartitions } from "../../../../../runtime/log/kafka/read/fetch.ts";
import type { LogError, PartitionReader } from "../../../../../runtime/log/log.ts";
import { openLog } from "../../../../../runtime/log/open.ts";
import { retry } from "../../../../support/retry.ts";
import { type Lie, type Reply, ScriptedBroker } from "../../../../support/scripted_broker.ts";
import { idOf } from "../../../../support/scripted_bytes.ts";
import { LIES, UNTIL_LATE } from "./lies.ts";
import {
  append,
  batch,
  bytes,
  type Metadata,
  metadata,
  patched,
  record,
  withBroker,
} from "./lies_kit.ts";
import { PATIENCE_MS, until } from "../../../../support/until.ts";

/** More than any of them needs: what is asked for without a pause comes to far more in this time. */
const MOST_REQUESTS = 150;

Deno.test("each lie of a broker ends in an error that names it, or in what is right", async () => {
  // Few at a time: each has time enough on a machine that has much else to do.
  const turns = new Semaphore(8);
  const tell = async ([name, { key }, lie, task, expected]: typeof LIES[number]) => {
    const broker = new ScriptedBroker((seen) => seen.key === key ? lie : "well");
    const timeoutMs = expected === UNTIL_LATE ? 500 : 2 * PATIENCE_MS;
    const log = await openLog(broker.url, { timeoutMs });
    try {
      const run = () => task(log).catch((error: Error) => error.message);
      const outcome = String(await withDeadline(name, PATIENCE_MS, run));
      if (!expected.test(outcome)) return `${name}: ${outcome}`;
      return broker.seen.length > MOST_REQUESTS ? `${name}: ${broker.seen.length} requests` : "";
    } catch (error) {
      return `${name}: ${error}`;
    } finally {
      await log.close();
      await broker.close();
    }
  };
  const results = await Promise.all(LIES.map((lie) => turns.run(() => tell(lie))));
  assert.deepEqual(results.filter((wrong) => wrong !== ""), []);
});

Deno.test("an answer that was given once is asked for again", async () => {
  const replies: Reply[] = [
    bytes((all) => all.subarray(0, 20)),
    patched((all) => all.setInt32(0, 2 ** 31 - 1)),
    patched((all) => all.setInt32(4, 99)),
    "slow",
    "close",
  ];
  await Promise.all(replies.map((lie) =>
    withBroker(
      ({ key }, before) => before === 0 && key !== API_VERSIONS.key ? lie : "well",
      async (log, broker) => {
        await retry(() => append(log));
        const reader = await (await log.reader()).open("t", 0, 0);
        const stop = new AbortController();
        const reading = reader.read(1, stop.signal).catch(() => {});
        await until("two requests", () =>
          broker.seen.filter(({ key }) => key === FETCH.key).length >= 2);
        stop.abort();
        await reading;
        assert.equal(reader.status, "reading");
      },
      1_000,
    )
  ));
});

Deno.test("a new leader that is behind its reader for a moment is no error, and reading continues", async () => {
  const behind = { highWatermark: 3, lastStableOffset: 3 };
  const records = { highWatermark: 6, lastStableOffset: 6, batches: batch() };
  await withBroker(
    ({ key }, before) =>
      key !== FETCH.key ? "well" : {
        fields: ({ topics: [{ partitions: [partition] }] }) =>
          Object.assign(partition, before < 2 ? behind : records),
      },
    async (log) => {
      const problems: string[] = [];
      const reader = await (await log.reader()).open("t", 0, 5, (one) => {
        if (one !== undefined) problems.push(one.message);
      });
      const [frame] = await reader.read(1, AbortSignal.timeout(PATIENCE_MS));
      assert.equal(frame!.offset, 5);
      assert.deepEqual(problems, []);
    },
  );
});

Deno.test("a partition that a broker never answers for is reported, and costs no other", async () => {
  const only = (all: { topics: { topicId: string }[] }) =>
    void (all.topics = all.topics.filter(({ topicId }) => topicId === idOf("t")));
  await withBroker(({ key }) => key === FETCH.key ? { fields: only } : "well", async (log) => {
    const reader = await log.reader();
    const told: string[] = [];
    const open = (topic: string) =>
      reader.open(topic, 0, 0, (problem) => told.push(`${topic}: ${problem?.message}`));
    const [t, u] = [await open("t"), await open("u")];
    await until("the report", () => u.status !== "reading");
    assert.equal(t.status, "reading");
    assert.match(told.join(), /^u: .*wrong response: Fetch says nothing about u\/0/);
  });
});

Deno.test("a topic that is gone, or another one, when its offsets are looked for is named", async () => {
  const changes = [
    [(all: Metadata) => void (all.topics = []), /^TOPIC_MISSING: Cannot find topic "t"/],
    [
      (all: Metadata) => all.topics.forEach((topic) => topic.topicId = idOf("u")),
      /^OFFSET_OUT_OF_RANGE: .* from offset 0: the topic was deleted and created again/,
    ],
  ] as const;
  for (const [change, said] of changes) {
    let fetched = false;
    await withBroker(({ key }) => {
      if (key === METADATA.key) return fetched ? metadata(change) : "well";
      if (key !== FETCH.key) return "well";
      fetched = true;
      return { errorCode: 1 };
    }, async (log) => {
      const partition = await (await log.reader()).open("t", 0, 0);
      const error = await partition.read(1, AbortSignal.timeout(PATIENCE_MS))
        .then(() => "a frame", ({ code, message }: LogError) => `${code}: ${message}`);
      assert.match(error, said);
    });
  }
});

Deno.test("a topic that is another one is named, too, when its reader is moved while its leader is looked for", async () => {
  let partition: PartitionReader | undefined;
  let moved = false;
  await withBroker(({ key }) => {
    if (key === METADATA.key && partition !== undefined) {
      if (!moved) partition.seek(3);
      moved = true;
      return metadata((all) => all.topics.forEach((topic) => topic.topicId = idOf("u")));
    }
    return key === FETCH.key && !moved ? { errorCode: 6 } : "well";
  }, async (log) => {
    partition = await (await log.reader()).open("t", 0, 0);
    const error = await partition.read(1, AbortSignal.timeout(PATIENCE_MS))
      .then(() => "a frame", ({ code, message }: LogError) => `${code}: ${message}`);
    assert.match(
      error,
      /^OFFSET_OUT_OF_RANGE: .* from offset 3: the topic was deleted and created again/,
    );
  });
});

Deno.test("a topic that gets an id, or is shown without it, is the same topic", async () => {
  const NO_ID = "0".repeat(32);
  const frame = { highWatermark: 6, lastStableOffset: 6, batches: batch() };
  for (const ids of [[NO_ID, idOf("t")], [idOf("t"), NO_ID]]) {
    let asked = 0;
    await withBroker(({ key }, before) => {
      if (key === METADATA.key) {
        const topicId = ids[asked++ === 0 ? 0 : 1]!;
        return metadata((all) => all.topics.forEach((topic) => topic.topicId = topicId));
      }
      if (key !== FETCH.key) return "well";
      // Its leader is looked up again.
      if (before === 0) return { errorCode: 6 };
      return { fields: ({ topics: [{ partitions: [one] }] }) => Object.assign(one, frame) };
    }, async (log) => {
      const partition = await (await log.reader()).open("t", 0, 5);
      const [read] = await partition.read(1, AbortSignal.timeout(PATIENCE_MS));
      assert.equal(read!.offset, 5);
      assert.equal(asked, 2);
    });
  }
});

Deno.test("a topic that too few brokers live for is made once more do", async () => {
  let made = false;
  await withBroker(({ key }, before) => {
    if (key === CREATE_PARTITIONS.key && before < 2) return { errorCode: 38 };
    made ||= key === CREATE_PARTITIONS.key;
    if (key !== METADATA.key || !made) return "well";
    return metadata(({ topics: [t] }) =>
      t!.partitions.push({ ...t!.partitions[0]!, partition: 1 })
    );
  }, async (log) => assert.equal(await log.createTopic("t", 2), 2));
});

Deno.test("a group that is gone once its checkpoints are looked for has none", async () => {
  const group = { group: "g", protocolType: "consumer", state: "Empty" };
  await withBroker(({ key }) => {
    if (key === LIST_GROUPS.key) return { fields: (all) => all.groups = [group] };
    return key === OFFSET_FETCH.key ? { errorCode: 69 } : "well";
  }, async (log, broker) => {
    assert.deepEqual(await log.checkpoints(), []);
    assert.ok(broker.seen.some(({ key }) => key === OFFSET_FETCH.key));
  });
});

Deno.test("two brokers that each name the other as the leader are left in the end", async () => {
  const NOT_LEADER = { errorCode: 6 };
  const brokers = [1, 2].map((id) =>
    new ScriptedBroker(({ key }) => {
      if (key === PRODUCE.key) return NOT_LEADER;
      return key === METADATA.key ? elsewhere(3 - id) : "well";
    }, id)
  );
  const [one, two] = brokers as [ScriptedBroker, ScriptedBroker];
  one.peers.push({ nodeId: 2, port: two.port });
  two.peers.push({ nodeId: 1, port: one.port });
  const log = await openLog(`${one.url},127.0.0.1:${two.port}`, { timeoutMs: 500 });
  await assert.rejects(append(log), /NOT_LEADER_OR_FOLLOWER|no response within/);
  assert.ok(one.seen.length + two.seen.length < MOST_REQUESTS);
  await log.close();
  for (const broker of brokers) await broker.close();
});

/** Names another leader, and an epoch that goes back each time. */
function elsewhere(leaderId: number): Lie {
  return metadata(({ topics: [topic] }) => {
    if (topic !== undefined) {
      Object.assign(topic.partitions[0]!, { leaderId, leaderEpoch: -leaderId });
    }
  });
}

Deno.test("a broker that wants quiet for weeks is asked again after a minute", async () => {
  const place = { topic: "t", partition: 0 };
  const requests = [
    (to: Connection) => produce(to, { ...place, bytes: batch(), acks: -1, timeoutMs: 1 }),
    (to: Connection) => {
      const from = { topicId: idOf("t"), offset: 0, leaderEpoch: 0, fetchedEpoch: -1, maxBytes: 1 };
      return fetchPartitions(to, [{ ...place, ...from }], { maxWaitMs: 1, maxBytes: 1 });
    },
  ];
  for (const request of requests) {
    const broker = new ScriptedBroker(({ key }) =>
      key === API_VERSIONS.key ? "well" : { fields: (all) => all.throttleTimeMs = 2 ** 31 - 1 }
    );
    const connection = await Connection.open({ host: "127.0.0.1", port: broker.port }, {
      ...{ connectTimeoutMs: 60_000, requestTimeoutMs: 60_000 },
      signal: new AbortController().signal,
      onEnd() {},
    });
    await request(connection);
    assert.ok(connection.throttledMs > 0 && connection.throttledMs <= 60_000);
    await connection.close();
    await broker.close();
  }
});

Deno.test("a leader at an address that no host has is named, with where the address comes from", async () => {
  const broker = new ScriptedBroker();
  const away = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const gone = new ScriptedBroker(() => "well", 1);
  // The first says that the second leads, and the second is gone.
  broker.advertised = gone.port;
  await gone.close();
  away.close();
  const log = await openLog(broker.url, { timeoutMs: 2_000 });
  try {
    const error = await (await log.producer()).append("t", 0, [record]).then(
      () => assert.fail("it was appended"),
      (error: LogError) => error,
    );
    assert.equal(error.code, "UNREACHABLE");
    assert.match(error.message, new RegExp(`${gone.port} \\(the broker's advertised address`));
  } finally {
    await log.close();
    await broker.close();
  }
});

Deno.test("a coordinator that is never the right one is not asked without a pause, and the error says so", async () => {
  const NOT_COORDINATOR = { errorCode: 16 };
  await withBroker(
    ({ key }) => key === FIND_COORDINATOR.key || key === METADATA.key ? "well" : NOT_COORDINATOR,
    async (log, broker) => {
      const opening = log.committer({ group: "g", query: "q", topic: "t", partition: 0 });
      await assert.rejects(opening, /NOT_COORDINATOR/);
      assert.ok(broker.seen.length < 200, `${broker.seen.length} requests`);
    },
    3_000,
  );
});

Deno.test("a broker that wants quiet for a while is left alone, and then continues", async () => {
  await withBroker(() => "well", async (log, broker) => {
    const producer = await log.producer();
    assert.equal(await producer.append("t", 0, [record]), 0);
    broker.throttleMs = 500;
    assert.equal(await producer.append("t", 0, [record]), 1);
    const waiting = producer.append("t", 0, [record]);
    const produced = () => broker.seen.filter(({ key }) => key === PRODUCE.key).length;
    assert.equal(produced(), 2);
    assert.equal(await waiting, 2);
    assert.equal(produced(), 3);
  });
});

Deno.test("a broker that wants no requests for a minute holds up no request for so long, nor the end of the log", async () => {
  await withBroker(() => "well", async (log, broker) => {
    const producer = await log.producer();
    await retry(() => producer.append("t", 0, [record]));
    broker.throttleMs = 60_000;
    await retry(() => producer.append("t", 0, [record]));
    await assert.rejects(producer.append("t", 0, [record]), {
      code: "UNREACHABLE",
      retryable: true,
      message:
        /^Cannot append to t partition 0: Kafka at [\d.:]+ delays it: a quota .* for \d+ ms$/,
    });
  }, 500);
  await withBroker(() => "well", async (log, broker) => {
    const producer = await log.producer();
    broker.throttleMs = 2_500;
    // Each goes in a request of its own; all of them take longer than closing may.
    const large = { ...record, value: new Uint8Array(600_000) };
    const appends = Array.from({ length: 50 }, () => producer.append("t", 0, [large]));
    const settled = Promise.allSettled(appends);
    await appends[0];
    await withDeadline("Closing", PATIENCE_MS, () => log.close());
    const last = (await settled).at(-1)!;
    assert.equal(last.status === "rejected" && last.reason.code, "CLOSED");
  }, 3_000);
});

Deno.test("the end of the log cuts no request short that has its own time", async () => {
  await withBroker(() => "well", async (log, broker) => {
    const producer = await log.producer();
    await producer.append("t", 0, [record]);
    // In all it takes longer than closing may wait, each by itself far shorter.
    broker.delayMs = 100;
    const large = { ...record, value: new Uint8Array(600_000) };
    const appends = Array.from({ length: 40 }, () => producer.append("t", 0, [large]));
    await Promise.all([log.close(), ...appends]);
  }, 3_000);
});
