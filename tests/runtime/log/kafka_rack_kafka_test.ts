/** `rack=`: frames are read from the replica that is nearest, and from the leader when that one is away. */
import assert from "node:assert/strict";
import type { KafkaCluster } from "../../support/cluster.ts";
import { freePort } from "../../../tools/kafka/probe.ts";
import { append, eventually, record, take } from "../../contracts/log_contract_kit.ts";
import { openPatiently, withAdmin, withKafka } from "../../support/kafka.ts";
import { Relay } from "../../support/relay.ts";

const FRAMES = 50;
const FRAME_BYTES = 20_000;

Deno.test("frames are read from the replica in the same rack, and from the leader when it is away", async () => {
  let kafka: KafkaCluster | undefined;
  const relays = [0, 1].map((index) =>
    new Relay(freePort(), () => Number(kafka!.nodes[index]!.address.split(":")[1]))
  );
  const advertised = relays.map(({ port }) => port);
  const brokers = advertised.map((port) => `127.0.0.1:${port}`).join(",");
  const racks = ["north", "south"];
  const selector = "org.apache.kafka.common.replica.RackAwareReplicaSelector";
  const options = { nodes: 2, racks, advertised };
  try {
    await withKafka(
      { ...options, properties: { "replica.selector.class": selector } },
      async (started) => {
        kafka = started;
        const writer = await openPatiently(`kafka://${brokers}`);
        await writer.createTopic("frames", 1);
        const frames = Array.from({ length: FRAMES }, () => record(new Uint8Array(FRAME_BYTES)));
        await append(writer, "frames", 0, frames);
        const leader = await withAdmin(async (admin) => {
          const { topics } = await admin.metadata({ topics: ["frames"] });
          return topics.get("frames")!.partitions[0]!.leader - 1;
        }, brokers);
        const near = 1 - leader;
        const log = await openPatiently(`kafka://${brokers}?rack=${racks[near]}`);
        try {
          const reader = await (await log.reader()).open("frames", 0, 0);
          assert.equal((await take(reader, FRAMES)).length, FRAMES);
          assert.ok(
            relays[near]!.sent > FRAMES * FRAME_BYTES,
            `${relays[near]!.sent} from the replica`,
          );
          assert.ok(
            relays[leader]!.sent < FRAMES * FRAME_BYTES,
            `${relays[leader]!.sent} from the leader`,
          );
          // Counted from here: the reader may have the frames as soon as they are there.
          const before = relays[leader]!.sent;
          relays[near]!.cut();
          await append(writer, "frames", 0, frames);
          assert.equal((await take(reader, FRAMES)).length, FRAMES);
          await eventually("the leader's bytes", () => relays[leader]!.sent - before > FRAME_BYTES);
        } finally {
          await log.close();
          await writer.close();
        }
      },
    );
  } finally {
    for (const relay of relays) relay.cut();
  }
});
