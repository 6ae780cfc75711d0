/** Transactions that the broker ends by itself, on a real Kafka. */
import assert from "node:assert/strict";
import { parseAddress } from "../../../../runtime/log/kafka/address.ts";
import { Cluster } from "../../../../runtime/log/kafka/cluster.ts";
import { isFencing, Transactions } from "../../../../runtime/log/kafka/transaction.ts";
import { kafkaUrl, uniqueName } from "../../../support/kafka.ts";

const TIMEOUT_MS = 300;

/** Holds the thread, and with it the transaction, until the broker has given it up. */
function hold(): never[] {
  const end = performance.now() + 20 * TIMEOUT_MS;
  while (performance.now() < end);
  return [];
}

Deno.test("a transaction that took too long is known from one that another owner has ended", async () => {
  const cluster = new Cluster(await parseAddress(kafkaUrl()), 10_000);
  try {
    const id = uniqueName("transaction");
    const owner = new Transactions(cluster, id, "one", TIMEOUT_MS);
    const groups = [uniqueName("group")];
    const [action, options] = ["Cannot test", { groups, needsPlaces: true }];
    await owner.begin(action);
    await assert.rejects(owner.run(action, [], hold, options), isFencing);
    assert.equal(await owner.timedOut(action), true);

    // The same, and then somebody takes over: that is no time-out any more.
    const other = new Transactions(cluster, id, "two", TIMEOUT_MS);
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
