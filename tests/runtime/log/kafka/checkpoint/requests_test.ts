/** What a committer asks of its brokers: under a quota, and around an abort. */
import assert from "node:assert/strict";
import { PRODUCE } from "../../../../../runtime/log/kafka/append/produce.ts";
import { API_VERSIONS } from "../../../../../runtime/log/kafka/protocol/api.ts";
import { OFFSET_COMMIT, OFFSET_FETCH } from "../../../../../runtime/log/kafka/protocol/groups.ts";
import {
  ADD_OFFSETS_TO_TXN,
  DESCRIBE_TRANSACTIONS,
  END_TXN,
  INIT_PRODUCER_ID,
  TXN_OFFSET_COMMIT,
} from "../../../../../runtime/log/kafka/protocol/transactions.ts";
import type { LogError, TopicLog } from "../../../../../runtime/log/log.ts";
import type { Reply, Seen } from "../../../../support/scripted_broker.ts";
import { record, withBroker } from "../net/lies_kit.ts";

/** Commits batches of one frame each, with these outputs, under query `q`. */
async function committing(log: TopicLog) {
  const committer = await log.committer({ group: "g", query: "q", topic: "t", partition: 0 });
  return async (batchId: number, outputs: readonly (typeof record)[]) => {
    const [batch, end] = [{ batchId, start: batchId, end: batchId + 1 }, batchId + 1];
    await committer.plan(batch, false);
    const records = outputs.map((output) => ({ topic: "o", partition: 0, ...output }));
    await committer.commit(batch, { end, restart: end }, records);
  };
}

Deno.test("a commit waits as long as a quota asks for, before its transaction begins", async () => {
  await withBroker(() => "well", async (log, broker) => {
    const commit = await committing(log);
    broker.throttleMs = 6_000;
    await commit(0, [record]);
    await commit(1, [record]);
  }, 5_000);
});

Deno.test("a quota holds up no transaction that has begun, but the next one", async () => {
  await withBroker(() => "well", async (log, broker) => {
    const commit = await committing(log);
    const produced = () => broker.seen.filter(({ key }) => key === PRODUCE.key).length;
    broker.throttleMs = 60_000;
    // Each goes in a request of its own.
    const large = { ...record, value: new Uint8Array(600_000) };
    await commit(0, Array.from({ length: 5 }, () => large));
    assert.equal(produced(), 5);
    const next = commit(1, [record]).then(() => "committed", ({ code }: LogError) => code);
    await log.close();
    assert.equal(await next, "CLOSED");
    assert.equal(produced(), 5);
  }, 30_000);
});

Deno.test("a quota on requests costs a few connections, however many transactions there are", async () => {
  const asked = [ADD_OFFSETS_TO_TXN, TXN_OFFSET_COMMIT, END_TXN, DESCRIBE_TRANSACTIONS];
  const throttled = {
    fields(answer: { throttleTimeMs: number; transactions?: { state: string }[] }) {
      answer.throttleTimeMs = 300;
      for (const one of answer.transactions ?? []) one.state = "PrepareCommit";
    },
  };
  await withBroker(
    ({ key }) => asked.some((api) => api.key === key) ? throttled : "well",
    async (log, broker) => {
      const commit = await committing(log);
      for (let batch = 0; batch < 4; batch++) await commit(batch, batch === 3 ? [record] : []);
      const connections = broker.seen.filter(({ key }) => key === API_VERSIONS.key).length;
      assert.ok(connections <= 8, `${connections} connections`);
    },
  );
});

Deno.test("a transaction is not aborted while one of its requests is under way", async () => {
  const ILLEGAL_GENERATION = { errorCode: 22 };
  const NOT_LEADER = { errorCode: 6 };
  await withBroker(({ key }, before) => {
    if (key === TXN_OFFSET_COMMIT.key) return ILLEGAL_GENERATION;
    return key === PRODUCE.key && before < 5 ? NOT_LEADER : "well";
  }, async (log, broker) => {
    const commit = await committing(log);
    await assert.rejects(commit(0, [record]), { code: "STALE_MEMBERSHIP" });
    const keys = broker.seen.map(({ key }) => key);
    assert.equal(keys.filter((key) => key === PRODUCE.key).length, 6);
    assert.ok(keys.lastIndexOf(PRODUCE.key) < keys.indexOf(END_TXN.key), `${keys}`);
  });
});

Deno.test("before Kafka 3.0 a commit waits for its readers by beginning the next transaction", async () => {
  const CONCURRENT_TRANSACTIONS = { errorCode: 51 };
  const old: Reply = {
    fields(all) {
      const isKnown = ({ apiKey }: { apiKey: number }) => apiKey !== DESCRIBE_TRANSACTIONS.key;
      all.apiKeys = all.apiKeys.filter(isKnown);
    },
  };
  await withBroker(({ key }, before) => {
    if (key === API_VERSIONS.key) return old;
    return key === INIT_PRODUCER_ID.key && [1, 2].includes(before)
      ? CONCURRENT_TRANSACTIONS
      : "well";
  }, async (log, broker) => {
    const begun = () => broker.seen.filter(({ key }) => key === INIT_PRODUCER_ID.key).length;
    const commit = await committing(log);
    await commit(0, []);
    assert.equal(begun(), 1);
    await commit(1, [record]);
    assert.equal(begun(), 4);
  });
});

Deno.test("a member that its group has expelled leaves no transaction open", async () => {
  const UNKNOWN_MEMBER_ID = { errorCode: 25 };
  const script = ({ key }: Seen) => key === TXN_OFFSET_COMMIT.key ? UNKNOWN_MEMBER_ID : "well";
  await withBroker(script, async (log, broker) => {
    const commit = await committing(log);
    await assert.rejects(commit(0, [record]), { code: "FENCED" });
    assert.ok(broker.seen.some(({ key }) => key === END_TXN.key));
  });
});

/** The offset of the group, without a checkpoint of ours. */
const offset = (offset: number): Reply => ({
  fields({ topics: [topic] }) {
    topic.name = "t";
    topic.partitions[0].offset = offset;
  },
});

Deno.test("an idle query takes over its transactional id that Kafka has forgotten, unless another one has", async () => {
  const FORGOTTEN = { errorCode: 49 };
  for (const [found, code] of [[-1, "committed"], [7, "FENCED"]] as const) {
    await withBroker(({ key }, before) => {
      if (key === OFFSET_FETCH.key) return offset(before < 2 ? -1 : found);
      return key === ADD_OFFSETS_TO_TXN.key && before === 0 ? FORGOTTEN : "well";
    }, async (log, broker) => {
      const commit = await committing(log);
      const end = commit(0, [record]).then(() => "committed", ({ code }: LogError) => code);
      assert.equal(await end, code);
      const again = broker.seen.filter(({ key }) => key === TXN_OFFSET_COMMIT.key).length;
      assert.equal(again, code === "committed" ? 2 : 0);
    });
  }
});

Deno.test("of offsets that are committed together only the one that is refused fails", async () => {
  const OFFSET_METADATA_TOO_LARGE = { errorCode: 12 };
  // The first request holds both, the second one the first of them.
  const script = ({ key }: Seen, before: number): Reply =>
    key === OFFSET_COMMIT.key && before !== 1 ? OFFSET_METADATA_TOO_LARGE : "well";
  await withBroker(script, async (log, broker) => {
    const membership = { memberId: "m", generation: 1 };
    const batch = { batchId: 0, start: 0, end: 1 };
    const committers = await Promise.all(
      [0, 1].map((partition) =>
        log.committer({ group: "q", query: "q", topic: "t", partition, membership })
      ),
    );
    const commits = await Promise.all(committers.map(async (committer) => {
      await committer.plan(batch, false);
      return committer.commit(batch, { end: 1, restart: 1 }, [], { repeatable: true })
        .then(() => "committed", ({ code }: LogError) => code);
    }));
    assert.deepEqual(commits, ["committed", "TOO_LARGE"]);
    assert.equal(broker.seen.filter(({ key }) => key === OFFSET_COMMIT.key).length, 3);
  });
});

Deno.test("the offset of a query is committed again twice a day: without members Kafka deletes it", async () => {
  const every = globalThis.setInterval;
  const timers: (() => Promise<void>)[] = [];
  globalThis.setInterval = ((run: () => Promise<void>, ms: number) => {
    if (ms === 12 * 3_600_000) timers.push(run);
    return every(run, ms);
  }) as typeof setInterval;
  try {
    await withBroker(
      ({ key }) => key === OFFSET_FETCH.key ? offset(-1) : "well",
      async (log, broker) => {
        const commit = await committing(log);
        const commits = () => broker.seen.filter(({ key }) => key === TXN_OFFSET_COMMIT.key).length;
        await timers[0]!();
        assert.equal(commits(), 0);
        await commit(0, []);
        assert.equal(commits(), 2);
        await timers[0]!();
        // The copy in group g is for tools alone.
        assert.equal(commits(), 3);
      },
    );
  } finally {
    globalThis.setInterval = every;
  }
});
