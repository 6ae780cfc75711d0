/** The fetch loop of one broker. */
import assert from "node:assert/strict";
import { parseAddress } from "../../../../../runtime/log/kafka/net/address.ts";
import { Cluster } from "../../../../../runtime/log/kafka/net/cluster.ts";
import { Epochs } from "../../../../../runtime/log/kafka/read/epochs.ts";
import { FETCH } from "../../../../../runtime/log/kafka/read/fetch.ts";
import { Fetcher } from "../../../../../runtime/log/kafka/read/fetcher.ts";
import { BufferedPartition } from "../../../../../runtime/log/kafka/read/partition_reader.ts";
import { FakeClock, settle } from "../../../../../runtime/testing/fake_clock.ts";
import { ScriptedBroker } from "../../../../support/scripted_broker.ts";
import { until } from "../../../../support/until.ts";

Deno.test("a broker that answers each fetch at once with nothing is asked again after pauses, which grow to half a second", async () => {
  const broker = new ScriptedBroker();
  const cluster = new Cluster(await parseAddress(broker.url), 10_000);
  const pauses: number[] = [];
  const clock = new class extends FakeClock {
    override sleep(ms: number, signal?: AbortSignal) {
      pauses.push(ms);
      return super.sleep(ms, signal);
    }
  }();
  try {
    const leader = await cluster.leader("t", 0, new AbortController().signal);
    const owner = { changed: () => {}, closed: () => {} };
    const fetched: unknown[] = [];
    const failed: unknown[] = [];
    const fetcher = new Fetcher({
      connect: (channel) => cluster.connections.get(leader.broker, `fetch-${channel}`),
      closing: cluster.closing,
      rack: () => undefined,
      fetched: (_, one) => fetched.push(one),
      failed: (_, error) => failed.push(error),
    }, clock);
    const bounds = { frames: 10, bytes: 1000 };
    const place = { topic: "t", partition: 0, offset: 0, leader, epochs: new Epochs() };
    const one = new BufferedPartition(owner, bounds, place);
    const asked = () => broker.seen.filter(({ key }) => key === FETCH.key).length;
    fetcher.add(one);
    for (let count = 1; count <= 10; count++) {
      await until("the pause", () => clock.sleeping === 1);
      // Other connections are free, and it has room: it must not be asked for over one of them.
      fetcher.wake();
      await settle();
      assert.equal(asked(), count);
      if (count === 10) fetcher.delete(one);
      await clock.advance(pauses.at(-1)!);
    }
    assert.equal(fetched.length, 10);
    assert.deepEqual(failed, []);
    for (const [index, pause] of pauses.entries()) {
      const full = Math.min(500, 10 * 2 ** index);
      assert.ok(pause >= full / 2 && pause <= full, `pause ${index + 1}: ${pause} ms`);
    }
  } finally {
    await cluster.close();
    await broker.close();
  }
});
