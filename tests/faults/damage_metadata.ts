// Damages a checkpoint where Kafka keeps it, in the metadata of a group's offset, and looks at what the
// next owner makes of it.
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { type Connection, offsetCommitV9, offsetFetchV8 } from "@platformatic/kafka";
import { type CommitterOptions, LogError } from "../../runtime/log/log.ts";
import { openPatiently, uniqueName, withConnection } from "../support/kafka.ts";
import { type Damage, damaged, type DamageReport } from "./damage.ts";

const END = 120;
const STATE = new Uint8Array(256).map((_, byte) => byte);

/** Makes a checkpoint, damages it in each of these ways, and takes it over. */
export function damageMetadata(choose: (size: number) => Damage[]): Promise<DamageReport> {
  return withConnection((connection) => damageOver(connection, choose));
}

async function damageOver(
  connection: Connection,
  choose: (size: number) => Damage[],
): Promise<DamageReport> {
  const topic = uniqueName("damage");
  // The name says that the group is this query's own: the checkpoint lies nowhere else.
  const owned: CommitterOptions = { group: `${topic}-q`, query: "q", topic, partition: 0 };
  const log = await openPatiently();
  try {
    await log.createTopic(topic, 1);
    const committer = await log.committer(owned);
    await committer.plan({ batchId: 0, start: 0, end: END });
    const checkpoint = { end: END, restart: END - 5, state: STATE };
    await committer.commit({ batchId: 0, start: 0, end: END }, checkpoint, []);
    await committer.close();
    const good = await metadataOf(connection, owned);
    let [read, refused] = [0, 0];
    for (const damage of choose(good.length)) {
      await writeMetadata(connection, owned, damaged(good, damage));
      const what = JSON.stringify(damage);
      try {
        const next = await log.committer(owned);
        assert.deepEqual(next.committed, { batchId: 0, ...checkpoint }, `${what}: a silent jump`);
        await next.close();
        read++;
      } catch (error) {
        if (!(error instanceof LogError)) throw error;
        assert.match(error.code, /^CHECKPOINT_(CORRUPT|NEWER)$/, `${what}: ${error.message}`);
        assert.ok(error.message.includes(`query q on ${topic} partition 0`), error.message);
        refused++;
      }
    }
    await writeMetadata(connection, owned, good);
    const last = await log.committer(owned);
    assert.deepEqual(last.committed, { batchId: 0, ...checkpoint });
    return { read, refused };
  } finally {
    await log.close();
  }
}

async function metadataOf(
  connection: Connection,
  { group, topic }: CommitterOptions,
): Promise<Uint8Array> {
  const { groups } = await offsetFetchV8.api.async(connection, [
    { groupId: group, memberEpoch: -1, topics: [{ name: topic, partitionIndexes: [0] }] },
  ], true);
  return new TextEncoder().encode(groups[0]!.topics[0]!.partitions[0]!.metadata!);
}

async function writeMetadata(
  connection: Connection,
  { group, topic }: CommitterOptions,
  metadata: Uint8Array,
): Promise<void> {
  // A flipped highest bit makes another character of it.
  const committedMetadata = Buffer.from(metadata).toString("latin1");
  await offsetCommitV9.api.async(connection, group, -1, "", null, [{
    name: topic,
    partitions: [{
      partitionIndex: 0,
      committedOffset: BigInt(END),
      committedLeaderEpoch: 0,
      committedMetadata,
    }],
  }]);
}
