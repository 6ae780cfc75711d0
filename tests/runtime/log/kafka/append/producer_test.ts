import assert from "node:assert/strict";
import { PRODUCE } from "../../../../../runtime/log/kafka/append/produce.ts";
import { INIT_PRODUCER_ID } from "../../../../../runtime/log/kafka/protocol/transactions.ts";
import type { LogRecord } from "../../../../../runtime/log/log.ts";
import type { Reply, Seen } from "../../../../support/scripted_broker.ts";
import { record, withBroker } from "../net/lies_kit.ts";

const INVALID_RECORD = 87;

Deno.test("appends that wait go together; one that the topic refuses fails alone", async () => {
  let produced = 0;
  // The second request holds three calls, and the fourth the culprit.
  const script = ({ key }: Seen): Reply =>
    key === PRODUCE.key && [2, 4].includes(++produced) ? { errorCode: INVALID_RECORD } : "well";
  await withBroker(script, async (log, { seen }) => {
    const producer = await log.producer();
    const [first, second, third, fourth] = [1, 2, 1, 1].map((count) =>
      producer.append("t", 0, Array(count).fill(record))
    );
    await assert.rejects(third!, { code: "REFUSED" });
    assert.deepEqual(await Promise.all([first, second, fourth]), [0, 1, 2]);
    assert.equal(produced, 5);
    const more = [1, 2, 1, 1].map((count) => producer.append("t", 0, Array(count).fill(record)));
    assert.deepEqual(await Promise.all(more), [3, 4, 6, 7]);
    assert.equal(produced, 7);
    assert.equal(seen.filter(({ key }) => key === INIT_PRODUCER_ID.key).length, 1);
  });
});

Deno.test("appends that were refused together do not overtake one that fails when it is sent alone", async () => {
  let produced = 0;
  const script = ({ key }: Seen): Reply => {
    if (key !== PRODUCE.key || ++produced === 1) return "well";
    return produced === 2 ? { errorCode: INVALID_RECORD } : "close";
  };
  await withBroker(script, async (log) => {
    const producer = await log.producer();
    const [first, ...others] = [1, 2, 1].map((count) =>
      producer.append("t", 0, Array.from({ length: count }, () => ({ ...record })))
    );
    assert.equal(await first, 0);
    for (const other of others) await assert.rejects(other, { code: "UNREACHABLE" });
    // The last two requests hold the second call alone; the third call was not sent.
    assert.equal(produced, 4);
  });
});

Deno.test("appends that failed are stored once each, in whatever order they are repeated", async () => {
  let [wellFor, ids] = [1, 0];
  let sent: string[] = [];
  const script = ({ key, batches }: Seen): Reply => {
    if (key === INIT_PRODUCER_ID.key) return { fields: (one) => one.producerId = BigInt(++ids) };
    if (key !== PRODUCE.key) return "well";
    const view = new DataView(batches!.slice().buffer);
    sent.push(`${view.getInt32(57)} by ${view.getBigInt64(43)} from ${view.getInt32(53)}`);
    return wellFor-- > 0 ? "well" : "close";
  };
  await withBroker(script, async (log) => {
    const producer = await log.producer();
    const [a, b, c, d, e, f, g] = [1, 2, 3, 1, 1, 1, 1].map((count) =>
      Array.from({ length: count }, () => ({ ...record }))
    );
    const append = (records: readonly LogRecord[] = []) => producer.append("t", 0, [...records]);
    const fail = async (...calls: Promise<number>[]) => {
      for (const call of calls) await assert.rejects(call, { code: "UNREACHABLE" });
    };
    assert.equal(await append(a), 0);
    // The others wait for the first one, and fail with it.
    await fail(append(b), append(c), append(d));
    wellFor = 1;
    const [ahead, ...together] = [append(e), append(c), append(d)];
    assert.equal(await ahead, 1);
    await fail(...together);
    await fail(append(f));
    const twice = (one: string) => [one, one];
    const once = ["1 by 1 from 0", ...twice("2 by 1 from 1"), "1 by 2 from 0"];
    assert.deepEqual(sent, [...once, ...twice("4 by 2 from 1"), ...twice("1 by 3 from 0")]);
    sent = [];
    wellFor = Infinity;
    const offsets = await Promise.all([append(d), append(f), append(b), append(c), append(g)]);
    assert.deepEqual(offsets, [5, 3, 4, 2, 5]);
    const again = ["4 by 2 from 1", "1 by 3 from 0", "2 by 1 from 1"];
    assert.deepEqual(sent, [...again, "1 by 1 from 3"]);
  });
});

Deno.test("an append of nothing, or of more than a broker takes, is refused", async () => {
  await withBroker(() => "well", async (log) => {
    const producer = await log.producer();
    await assert.rejects(producer.append("t", 0, []), { code: "INVALID" });
    const value = new Uint8Array(2 ** 26);
    await assert.rejects(producer.append("t", 0, [{ ...record, value }]), { code: "TOO_LARGE" });
  });
});
