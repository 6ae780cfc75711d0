import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import * as apis from "../../../../../node_modules/@platformatic/kafka/dist/apis/index.js";
import { PRODUCE } from "../../../../../runtime/log/kafka/append/produce.ts";
import { type Api, checked } from "../../../../../runtime/log/kafka/protocol/api.ts";
import { errorNames, ResponseError } from "../../../../../runtime/log/kafka/protocol/errors.ts";
import * as groups from "../../../../../runtime/log/kafka/protocol/groups.ts";
import * as topics from "../../../../../runtime/log/kafka/protocol/topics.ts";
import * as transactions from "../../../../../runtime/log/kafka/protocol/transactions.ts";
import { ResponseReader } from "../../../../../runtime/log/kafka/protocol/wire.ts";
import { writeFetch } from "../../../../../runtime/log/kafka/read/fetch.ts";
import { FETCH_TABLE } from "../../../../support/fetch_table.ts";
import { bytesOf, sent, written, writtenAlike } from "./requests_kit.ts";

const batch = new Uint8Array(40_000).map((_, i) => i);

function part(topic: number, partition: number, offset: number) {
  return {
    topic: `t${topic}`,
    topicId: `0123456789ab4def812300000000000${topic}`,
    partition,
    offset,
    leaderEpoch: partition % 3,
    fetchedEpoch: partition % 2 === 0 ? -1 : partition,
    maxBytes: 2_097_152 - partition,
  };
}

function fetchOf(parts: readonly ReturnType<typeof part>[]): [Uint8Array, Uint8Array] {
  const byTopic = Map.groupBy(parts, ({ topicId }) => topicId);
  const request = [...byTopic].map(([topicId, of]) => ({
    topicId: topicId.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-"),
    partitions: of.map((part) => ({
      partition: part.partition,
      currentLeaderEpoch: part.leaderEpoch,
      fetchOffset: BigInt(part.offset),
      lastFetchedEpoch: part.fetchedEpoch,
      partitionMaxBytes: part.maxBytes,
    })),
  }));
  return [
    written((to) => writeFetch(to, 13, parts, { maxWaitMs: 500, maxBytes: 8_388_608 })),
    bytesOf(
      apis.fetchV13.createRequest(
        500,
        1,
        8_388_608,
        topics.READ_COMMITTED,
        0,
        -1,
        request,
        [],
        "",
      ),
    ),
  ];
}

function metadataOf(names: readonly string[] | null) {
  return {
    topics: names?.map((name) => ({ topicId: topics.NO_ID, name })) ?? null,
    allowAutoTopicCreation: false,
    includeClusterAuthorizedOperations: false,
    includeTopicAuthorizedOperations: false,
  };
}

writtenAlike({
  "a fetch of one partition": () => fetchOf([part(1, 0, 0)]),
  "a fetch beyond 32 bits": () =>
    fetchOf([part(1, 0, 2 ** 31), part(1, 1, 2 ** 32), part(1, 2, 2 ** 53 - 1)]),
  "a fetch of topics in turn": () => fetchOf([part(1, 0, 7), part(2, 0, 8), part(1, 5, 9)]),
  "a fetch of 20,000 partitions": () =>
    fetchOf(Array.from({ length: 20_000 }, (_, i) => part(1, i, i))),
  "metadata of topics": () => [
    sent(topics.METADATA, metadataOf(["VideoStreaming", "b"])),
    bytesOf(apis.metadataV12.createRequest(["VideoStreaming", "b"], false, false)),
  ],
  "metadata of all topics": () => [
    sent(topics.METADATA, metadataOf(null)),
    bytesOf(apis.metadataV12.createRequest(null, false, false)),
  ],
  "finding a group's coordinator": () => [
    sent(topics.FIND_COORDINATOR, { key: "g", keyType: 0 }),
    bytesOf(apis.findCoordinatorV3.createRequest(0, ["g"])),
  ],
  "finding a transaction's coordinator": () => [
    sent(topics.FIND_COORDINATOR, { key: "t", keyType: 1 }),
    bytesOf(apis.findCoordinatorV3.createRequest(1, ["t"])),
  ],
  "creating a topic": () => [
    sent(topics.CREATE_TOPICS, {
      topics: [{
        name: "t",
        partitions: 300,
        replicationFactor: -1,
        assignments: [],
        configs: [{ name: "max.message.bytes", value: "1" }],
      }],
      timeoutMs: 5000,
      validateOnly: false,
    }),
    bytesOf(apis.createTopicsV4.createRequest(
      [{
        name: "t",
        numPartitions: 300,
        replicationFactor: -1,
        assignments: [],
        configs: [{ name: "max.message.bytes", value: "1" }],
      }],
      5000,
      false,
    )),
  ],
  "creating partitions": () => [
    sent(topics.CREATE_PARTITIONS, {
      topics: [{ name: "t", count: 7, assignments: null }],
      timeoutMs: 5000,
      validateOnly: false,
    }),
    bytesOf(
      apis.createPartitionsV3.createRequest(
        [{ name: "t", count: 7, assignments: null as unknown as [] }],
        5000,
        false,
      ),
    ),
  ],
  "listing an offset": () => [
    sent(topics.LIST_OFFSETS, {
      replicaId: -1,
      isolationLevel: 1,
      topics: [{ name: "t", partitions: [{ partition: 3, leaderEpoch: 2, timestamp: -2 }] }],
    }),
    bytesOf(apis.listOffsetsV7.createRequest(-1, 1, [{
      name: "t",
      partitions: [{ partitionIndex: 3, currentLeaderEpoch: 2, timestamp: -2n }],
    }])),
  ],
});

Deno.test("records go out as they are, in whatever pieces", () => {
  const small = new Uint8Array([9, 8, 7]);
  const bytes = sent(PRODUCE, {
    transactionalId: "id",
    acks: -1,
    timeoutMs: 1000,
    topics: [{
      name: "t",
      partitions: [{ partition: 0, batches: batch }, { partition: 1, batches: small }],
    }, { name: "u", partitions: [{ partition: 2, batches: small }] }],
  });
  // Number of topics, name, number of partitions, number, length, records, tagged fields.
  const head = [3, 105, 100, 255, 255, 0, 0, 3, 232, 3];
  const expected = Buffer.concat([
    Buffer.from([...head, 2, 116, 3, 0, 0, 0, 0, 193, 184, 2]),
    batch,
    Buffer.from([0, 0, 0, 0, 1, 4, 9, 8, 7, 0, 0, 2, 117, 2, 0, 0, 0, 2, 4, 9, 8, 7, 0, 0, 0]),
  ]);
  assert.deepEqual(bytes, new Uint8Array(expected));
});

Deno.test("errors are found wherever they are in a response, with their place and the broker's words", () => {
  assert.equal(checked(5), 5);
  const response = {
    errorCode: 0,
    topics: [
      { name: "t", partitions: [{ partition: 0, errorCode: 3 }, { partition: 1, errorCode: 0 }] },
      { name: "u", errorCode: 12_345, errorMessage: "From the future." },
    ],
  };
  assert.throws(() => checked(response), (error) => {
    assert.ok(error instanceof ResponseError);
    assert.deepEqual(errorNames(error), ["UNKNOWN_TOPIC_OR_PARTITION", "error 12345"]);
    assert.deepEqual(error.errors.map(({ place, message }) => [place, message]), [
      ["t/0", undefined],
      ["u", "From the future."],
    ]);
    assert.equal(error.response, response);
    return true;
  });
});

Deno.test("what a table writes it reads, in every version that it speaks", () => {
  for (const module of [topics, groups, transactions, { PRODUCE, FETCH_TABLE }]) {
    for (const api of Object.values(module).filter(isApi)) {
      for (let version = api.versions[0]; version <= api.versions[1]; version++) {
        const as = { version, flexible: version >= api.flexible };
        for (const message of [api.request, api.response]) {
          // Any bytes of zeros are a message with empty lists: what is read from them comes back the same.
          const value = message.read(new ResponseReader(new Uint8Array(400)), as);
          const bytes = written((to) => message.write(to, value, as));
          const again = message.read(new ResponseReader(bytes), as);
          assert.deepEqual(again, value, `${api.name} ${version}`);
        }
      }
    }
  }
});

function isApi(value: unknown): value is Api<unknown, unknown> {
  return typeof value === "object" && value !== null && "request" in value;
}
