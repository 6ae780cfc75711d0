/** Topics on clusters with rules of their own. */
import assert from "node:assert/strict";
import { CREATE_TOPICS, METADATA } from "../../../../../runtime/log/kafka/protocol/topics.ts";
import type { Reply, Seen } from "../../../../support/scripted_broker.ts";
import { metadata, withBroker } from "../net/lies_kit.ts";

const [INVALID_CONFIG, POLICY_VIOLATION, TOPIC_AUTHORIZATION_FAILED] = [40, 44, 29];
/** As of a broker that has no room for so many. */
const INVALID_PARTITIONS = 37;

/** A cluster without a controller that refuses so many configurations of a topic. */
function refusing(codes: readonly number[]): (seen: Seen, before: number) => Reply {
  let made = false;
  return ({ key }, before) => {
    if (key === METADATA.key) {
      return metadata((all) => {
        all.controllerId = -1;
        if (!made) all.topics = [];
      });
    }
    if (key !== CREATE_TOPICS.key) return "well";
    const errorCode = codes[before];
    made = errorCode === undefined;
    return made ? "well" : { errorCode: errorCode! };
  };
}

Deno.test("a topic has the configuration that the cluster's policy allows, at worst the default one", async () => {
  const codes = [INVALID_CONFIG, POLICY_VIOLATION, POLICY_VIOLATION];
  await withBroker(refusing(codes), async (log, broker) => {
    assert.equal(await log.createTopic("t", 1), 1);
    assert.equal(broker.seen.filter(({ key }) => key === CREATE_TOPICS.key).length, 4);
  });
});

Deno.test("a topic that may not be created is refused in the broker's words", async () => {
  for (
    const [code, tries, said] of [
      [POLICY_VIOLATION, 4, "INVALID"],
      [TOPIC_AUTHORIZATION_FAILED, 1, "AUTHENTICATION_FAILED"],
      [INVALID_PARTITIONS, 1, "INVALID"],
    ] as const
  ) {
    await withBroker(refusing(Array(4).fill(code)), async (log, broker) => {
      await assert.rejects(log.createTopic("t", 1), { code: said });
      assert.equal(broker.seen.filter(({ key }) => key === CREATE_TOPICS.key).length, tries);
    });
  }
});
