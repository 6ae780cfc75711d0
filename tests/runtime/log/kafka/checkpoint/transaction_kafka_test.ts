/** Transactions that the broker ends by itself, and records that it refuses inside one, on a real Kafka. */
import assert from "node:assert/strict";
import { parseAddress } from "../../../../../runtime/log/kafka/net/address.ts";
import { Cluster } from "../../../../../runtime/log/kafka/net/cluster.ts";
import {
  isFencing,
  Transactions,
} from "../../../../../runtime/log/kafka/checkpoint/transaction.ts";
import { ensureTopic } from "../../../../../runtime/log/kafka/read/topics.ts";
import type { OutputRecord } from "../../../../../runtime/log/log.ts";
import { readAll } from "../../../../support/log.ts";
import { PATIENCE_MS } from "../../../../support/until.ts";
import { kafkaUrl, openPatiently, uniqueName } from "../../../../support/kafka.ts";

const TIMEOUT_MS = 300;

/** Holds the thread, and with it the transaction, until the broker has given it up; costs the broker no time. */
function hold(): never[] {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20 * TIMEOUT_MS);
  return [];
}

Deno.test("a transaction that took too long is known from one that another owner has ended", async () => {
  const cluster = new Cluster(await parseAddress(kafkaUrl()), PATIENCE_MS);
  try {
    const id = uniqueName("transaction");
    const owner = new Transactions(cluster, id, "one", TIMEOUT_MS);
    const groups = [uniqueName("group")];
    const [action, options] = ["Cannot test", { groups, needsPlaces: true }];
    await owner.begin(action);
    await assert.rejects(owner.run(action, [], hold, options), isFencing);
    assert.equal(await owner.timedOut(action), true);

    // The same, and then somebody takes over: that is no time-out any more.
    const other = new Transactions(cluster, id, "two");
    await other.begin(action);
    assert.equal(await owner.timedOut(action), false);

    // Fenced at once: not for its time.
    await owner.begin(action).then(() => assert.fail("it is fenced"), () => {});
    await other.run(action, [], () => [], options);
    const third = new Transactions(cluster, id, "three");
    await third.begin(action);
    await assert.rejects(other.run(action, [], () => [], options), isFencing);
    assert.equal(await other.timedOut(action), false);
  } finally {
    await cluster.close();
  }
});

Deno.test("of a batch that is too large each record goes by itself, and those that must go elsewhere leave no gap", async () => {
  const cluster = new Cluster(await parseAddress(kafkaUrl()), PATIENCE_MS);
  const log = await openPatiently();
  const [topic, instead] = [uniqueName("narrow"), uniqueName("instead")];
  const made = (text: string, bytes: number, to = topic): OutputRecord => ({
    topic: to,
    partition: 0,
    key: text,
    value: new Uint8Array(bytes),
    timestamp: Date.now(),
    headers: {},
  });
  const large = (text: string): OutputRecord => ({
    ...made(text, 3000),
    smaller: () => made(text, 3000, instead),
  });
  try {
    await ensureTopic(cluster, topic, 1, { "max.message.bytes": "2000" });
    const owner = new Transactions(cluster, uniqueName("transaction"), "one");
    const options = { groups: [uniqueName("group")], needsPlaces: false };
    await owner.begin("Cannot test");
    const run = (records: OutputRecord[]) => owner.run("Cannot test", records, () => [], options);
    await run([made("a", 9), large("x"), made("b", 1500), large("y"), made("c", 9)]);
    await run([made("d", 9), made("e", 9)]);
    const read = async (from: string) =>
      (await readAll(log, from, 0)).map(({ key }) => key).join("");
    assert.deepEqual([await read(topic), await read(instead)], ["abcde", "xy"]);
  } finally {
    await log.close();
    await cluster.close();
  }
});
