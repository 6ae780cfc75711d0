/** Brokers that answer, but wrongly: what was asked is asked again, ends in time, and says what is wrong. */
import assert from "node:assert/strict";
import { retry } from "../../../../support/retry.ts";
import { openLog } from "../../../../../runtime/log/open.ts";
import type { LogError, TopicLog } from "../../../../../runtime/log/log.ts";
import {
  type Mangling,
  type Reply,
  ScriptedBroker,
  type Seen,
} from "../../../../support/scripted_broker.ts";

const [PRODUCE, FETCH, METADATA, FIND_COORDINATOR] = [0, 1, 3, 10];
const record = { key: null, value: new Uint8Array(3), timestamp: 1, headers: {} };

/** A broker, and a log on it; the script learns how often it was asked the same before. */
async function withBroker(
  script: (seen: Seen, before: number) => Reply,
  test: (log: TopicLog, broker: ScriptedBroker) => Promise<void>,
  timeoutMs = 2_000,
): Promise<void> {
  const asked = new Map<number, number>();
  const broker = new ScriptedBroker((seen) => {
    const before = asked.get(seen.key) ?? 0;
    asked.set(seen.key, before + 1);
    return script(seen, before);
  });
  const log = await openLog(broker.url, { timeoutMs });
  try {
    await test(log, broker);
  } finally {
    await log.close();
    await broker.close();
  }
}

for (const mangling of ["half", "huge", "mixed", "slow"] satisfies Mangling[]) {
  Deno.test(`a response that is ${mangling} is asked for again, by readers, writers and whoever else`, async () => {
    const once = ({ key }: Seen, before: number) =>
      [PRODUCE, FETCH, METADATA].includes(key) && before === 0 ? mangling : "well";
    await withBroker(once, async (log, broker) => {
      const producer = await log.producer();
      assert.ok(await retry(() => producer.append("t", 0, [record])) >= 0);
      const reader = await (await log.reader()).open("t", 0, 0);
      const stop = new AbortController();
      const reading = reader.read(1, stop.signal).catch(() => {});
      while (broker.seen.filter(({ key }) => key === FETCH).length < 2) {
        await new Promise((next) => setTimeout(next, 10));
      }
      stop.abort();
      await reading;
      assert.equal(reader.status, "reading");
    });
  });
}

Deno.test("a leader at an address that nobody has is named, with where the address comes from", async () => {
  const broker = new ScriptedBroker();
  const away = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const gone = new ScriptedBroker(() => "well", 1);
  // The first says that the second leads, and the second is gone.
  broker.advertised = gone.port;
  await gone.close();
  away.close();
  const log = await openLog(broker.url, { timeoutMs: 500 });
  try {
    const error = await (await log.producer()).append("t", 0, [record]).then(
      () => assert.fail("it was appended"),
      (error: LogError) => error,
    );
    assert.equal(error.code, "UNREACHABLE");
    assert.match(error.message, new RegExp(`${gone.port} \\(the address that the cluster gives`));
  } finally {
    await log.close();
    await broker.close();
  }
});

Deno.test("a coordinator that is never the right one is not asked without a pause, and the error says so", async () => {
  const NOT_COORDINATOR = { errorCode: 16 };
  await withBroker(
    ({ key }) => key === FIND_COORDINATOR || key === METADATA ? "well" : NOT_COORDINATOR,
    async (log, broker) => {
      const opening = log.committer({ group: "g", query: "q", topic: "t", partition: 0 });
      await assert.rejects(opening, /NOT_COORDINATOR/);
      assert.ok(broker.seen.length < 200, `${broker.seen.length} requests`);
    },
    1_000,
  );
});

Deno.test("a broker that wants quiet for a while is left alone, and then goes on", async () => {
  await withBroker(() => "well", async (log, broker) => {
    const producer = await log.producer();
    assert.equal(await producer.append("t", 0, [record]), 0);
    broker.throttleMs = 500;
    assert.equal(await producer.append("t", 0, [record]), 1);
    const waiting = producer.append("t", 0, [record]);
    const produced = () => broker.seen.filter(({ key }) => key === PRODUCE).length;
    assert.equal(produced(), 2);
    assert.equal(await waiting, 2);
    assert.equal(produced(), 3);
  });
});
