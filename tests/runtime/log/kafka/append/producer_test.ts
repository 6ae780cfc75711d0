import assert from "node:assert/strict";
import { PRODUCE } from "../../../../../runtime/log/kafka/append/produce.ts";
import type { Reply, Seen } from "../../../../support/scripted_broker.ts";
import { record, withBroker } from "../net/lies_kit.ts";

const INVALID_RECORD = 87;

Deno.test("appends that wait go together; one that the topic refuses fails alone", async () => {
  let produced = 0;
  // The second request holds three calls, and the fourth the culprit.
  const script = ({ key }: Seen): Reply =>
    key === PRODUCE.key && [2, 4].includes(++produced) ? { errorCode: INVALID_RECORD } : "well";
  await withBroker(script, async (log) => {
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
  });
});
