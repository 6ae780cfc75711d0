/** Fetch is written and read by hand; a table of its fields says what is right, in every version. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { NO_ID } from "../../../../../runtime/log/kafka/protocol/topics.ts";
import { ResponseReader } from "../../../../../runtime/log/kafka/protocol/wire.ts";
import {
  FETCH,
  type FetchPartition,
  readFetched,
  TOPIC_IDS,
  writeFetch,
} from "../../../../../runtime/log/kafka/read/fetch.ts";
import { FETCH_TABLE } from "../../../../support/fetch_table.ts";
import { written } from "./requests_kit.ts";

const [LOWEST, HIGHEST] = FETCH.versions;
const version = fc.integer({ min: LOWEST, max: HIGHEST });
const asOf = (version: number) => ({ version, flexible: version >= FETCH.flexible });
const id = fc.stringMatching(/^[\da-f]{32}$/);
const int32 = fc.integer();
const offset = fc.maxSafeInteger();
const PLAIN = { noNullPrototype: true } as const;

Deno.test("a fetch request says what its table says", () => {
  const partition = fc.record({
    partition: int32,
    offset,
    leaderEpoch: int32,
    fetchedEpoch: int32,
    maxBytes: int32,
  });
  const topic = fc.record({
    topic: fc.string(),
    topicId: id,
    partitions: fc.array(partition, { minLength: 1, maxLength: 4 }),
  });
  const topics = fc.uniqueArray(topic, { minLength: 1, maxLength: 3, selector: (t) => t.topic });
  const bounds = fc.record({ maxWaitMs: int32, maxBytes: int32, rack: fc.string() });
  fc.assert(fc.property(version, topics, bounds, (version, topics, bounds) => {
    // One partition of each topic in turn, as the fetcher rotates them.
    const partitions: FetchPartition[] = [];
    for (let turn = 0; turn < 4; turn++) {
      for (const { topic, topicId, partitions: of } of topics) {
        const one = of[turn];
        if (one !== undefined) partitions.push({ topic, topicId, ...one });
      }
    }
    const bytes = written((to) => writeFetch(to, version, partitions, bounds));
    const from = new ResponseReader(bytes);
    const read = FETCH_TABLE.request.read(from, asOf(version));
    assert.equal(from.left, 0);
    const byId = version >= TOPIC_IDS;
    assert.deepEqual(read, {
      replicaId: -1,
      maxWaitMs: bounds.maxWaitMs,
      minBytes: 1,
      maxBytes: bounds.maxBytes,
      isolationLevel: 1,
      sessionId: 0,
      sessionEpoch: -1,
      topics: topics.map(({ topic, topicId, partitions }) => ({
        name: byId ? "" : topic,
        topicId: byId ? topicId : NO_ID,
        partitions: partitions.map((one) => ({
          ...one,
          leaderEpoch: version >= 9 ? one.leaderEpoch : -1,
          fetchedEpoch: version >= 12 ? one.fetchedEpoch : -1,
          logStart: -1,
        })),
      })),
      forgotten: [],
      rack: version >= 11 ? bounds.rack : "",
    });
  }));
});

Deno.test("a topic that was deleted and made again is asked for by both ids", () => {
  const place = { topic: "t", offset: 1, leaderEpoch: 0, fetchedEpoch: 0, maxBytes: 1 };
  const ids = ["0", "1"].map((digit) => digit.repeat(32));
  const partitions = ids.map((topicId, partition) => ({ ...place, topicId, partition }));
  const bounds = { maxWaitMs: 1, maxBytes: 1 };
  const from = new ResponseReader(written((to) => writeFetch(to, 13, partitions, bounds)));
  const { topics } = FETCH_TABLE.request.read(from, asOf(13));
  assert.deepEqual(topics.map(({ topicId }) => topicId), ids);
});

const response = fc.record({
  throttleTimeMs: int32,
  errorCode: fc.integer({ min: -1, max: 120 }),
  sessionId: int32,
  topics: fc.array(
    fc.record({
      name: fc.string(),
      topicId: id,
      partitions: fc.array(
        fc.record({
          partition: int32,
          errorCode: fc.integer({ min: -1, max: 120 }),
          highWatermark: offset,
          lastStableOffset: offset,
          logStart: offset,
          aborted: fc.array(
            fc.record(
              { producerId: fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n), firstOffset: offset },
              PLAIN,
            ),
          ),
          preferredReplica: int32,
          batches: fc.uint8Array({ maxLength: 300 }).map((bytes) => new Uint8Array(bytes)),
          diverged: fc.boolean(),
        }),
        { maxLength: 4 },
      ),
    }),
    { maxLength: 3 },
  ),
});

Deno.test("a response to a fetch is read as its table writes it; cut anywhere, it ends too early", () => {
  fc.assert(fc.property(version, response, fc.nat(), (version, response, cut) => {
    const bytes = written((to) => FETCH_TABLE.response.write(to, response, asOf(version)));
    const from = new ResponseReader(bytes);
    const read = readFetched(from, version);
    assert.equal(from.left, 0);
    assert.deepEqual(read, {
      throttleTimeMs: response.throttleTimeMs,
      errorCode: version >= 7 ? response.errorCode : 0,
      partitions: response.topics.flatMap(({ name, topicId, partitions }) =>
        partitions.map(({ logStart: _, ...one }) => ({
          ...one,
          topic: version >= TOPIC_IDS ? topicId : name,
          preferredReplica: version >= 11 ? one.preferredReplica : -1,
          diverged: version >= 12 && one.diverged,
        }))
      ),
    });
    const part = new ResponseReader(bytes.subarray(0, cut % bytes.length));
    assert.throws(() => readFetched(part, version), { message: "it ends too early" });
  }));
});
