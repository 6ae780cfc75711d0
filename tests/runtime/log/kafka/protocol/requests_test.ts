import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import * as apis from "../../../../../node_modules/@platformatic/kafka/dist/apis/index.js";
import * as groupsProtocol from "../../../../../node_modules/@platformatic/kafka/dist/clients/consumer/consumer-protocol.js";
import {
  decodeAssignment,
  decodeSubscription,
  encodeAssignment,
  encodeSubscription,
} from "../../../../../runtime/log/kafka/group/consumer_protocol.ts";
import { type Api, checked } from "../../../../../runtime/log/kafka/protocol/api.ts";
import { errorNames, ResponseError } from "../../../../../runtime/log/kafka/protocol/errors.ts";
import {
  FETCH,
  type FetchPartition,
  writeFetch,
} from "../../../../../runtime/log/kafka/protocol/fetch.ts";
import * as groups from "../../../../../runtime/log/kafka/protocol/groups.ts";
import { PRODUCE, writeProduce } from "../../../../../runtime/log/kafka/protocol/produce.ts";
import * as topics from "../../../../../runtime/log/kafka/protocol/topics.ts";
import * as transactions from "../../../../../runtime/log/kafka/protocol/transactions.ts";
import { RequestWriter, ResponseReader } from "../../../../../runtime/log/kafka/protocol/wire.ts";

function written(write: (to: RequestWriter) => void): Uint8Array<ArrayBuffer> {
  const to = new RequestWriter();
  write(to);
  const size = to.size;
  const bytes = Buffer.concat(to.pieces());
  assert.equal(bytes.length, size);
  return new Uint8Array(bytes);
}

/** The bytes that a request sends, without its header. */
function sent<Request>(
  api: Api<Request, unknown>,
  body: Request,
  version = api.versions[1],
): Uint8Array {
  const as = { version, flexible: version >= api.flexible };
  return written((to) => api.request.write(to, body, as));
}

const bytesOf = ({ buffer }: { readonly buffer: Uint8Array }) => new Uint8Array(buffer);

const metadata = Buffer.from([1, 2, 3]);
const owner = { transactionalId: "framelane-wall", producerId: 2n ** 40n + 7n, epoch: 12 };
const member = { group: "wände", memberId: "m-1", generation: 70_000 };
const batch = new Uint8Array(40_000).map((_, i) => i);

function part(topic: number, partition: number, offset: number): FetchPartition {
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

function fetchOf(parts: readonly FetchPartition[]): [Uint8Array, Uint8Array] {
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
    written((to) =>
      writeFetch(to, parts, { maxWaitMs: 500, maxBytes: 8_388_608 }, FETCH.versions[1])
    ),
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

function offsetsOf(
  topics: readonly { readonly name: string; readonly partitions: readonly number[] }[] | null,
  requireStable: boolean,
) {
  return { group: "g", topics, groups: [{ group: "g", topics }], requireStable };
}

const CASES: Record<string, () => [ours: Uint8Array, theirs: Uint8Array]> = {
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
    sent(topics.FIND_COORDINATOR, { key: "g", keyType: 0, coordinatorKeys: ["g"] }),
    bytesOf(apis.findCoordinatorV4.createRequest(0, ["g"])),
  ],
  "finding a transaction's coordinator": () => [
    sent(topics.FIND_COORDINATOR, { key: "t", keyType: 1, coordinatorKeys: ["t"] }),
    bytesOf(apis.findCoordinatorV4.createRequest(1, ["t"])),
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
    bytesOf(apis.createTopicsV7.createRequest(
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
  "joining a group": () => [
    sent(groups.JOIN_GROUP, {
      group: "g",
      memberId: "m",
      instanceId: null,
      sessionTimeoutMs: 6000,
      rebalanceTimeoutMs: 9000,
      protocolType: "consumer",
      protocols: [{ name: "framelane", metadata }],
      reason: null,
    }),
    bytesOf(
      apis.joinGroupV9.createRequest(
        "g",
        6000,
        9000,
        "m",
        null,
        "consumer",
        [{ name: "framelane", metadata }],
        null,
      ),
    ),
  ],
  "sharing out": () => [
    sent(groups.SYNC_GROUP, {
      ...member,
      instanceId: null,
      protocolType: "consumer",
      protocolName: "framelane",
      assignments: [
        { memberId: "a", assignment: metadata },
        { memberId: "b", assignment: new Uint8Array(0) },
      ],
    }),
    bytesOf(
      apis.syncGroupV5.createRequest(
        member.group,
        member.generation,
        member.memberId,
        null,
        "consumer",
        "framelane",
        [{ memberId: "a", assignment: metadata }, { memberId: "b", assignment: Buffer.alloc(0) }],
      ),
    ),
  ],
  "a heartbeat": () => [
    sent(groups.HEARTBEAT, { ...member, instanceId: null }),
    bytesOf(
      apis.heartbeatV4.createRequest(member.group, member.generation, member.memberId, null),
    ),
  ],
  "leaving": () => [
    sent(groups.LEAVE_GROUP, {
      ...member,
      members: [{ memberId: member.memberId, instanceId: null, reason: null }],
    }),
    bytesOf(apis.leaveGroupV5.createRequest(member.group, [
      { memberId: member.memberId, groupInstanceId: null, reason: null },
    ])),
  ],
  "listing groups": () => [
    sent(groups.LIST_GROUPS, { statesFilter: [] }),
    bytesOf(apis.listGroupsV4.createRequest([], [])),
  ],
  "describing a group": () => [
    sent(groups.DESCRIBE_GROUPS, { groups: ["g"], includeAuthorizedOperations: false }),
    bytesOf(apis.describeGroupsV5.createRequest(["g"], false)),
  ],
  "committing offsets by a member's word": () => [
    sent(groups.OFFSET_COMMIT, {
      ...member,
      instanceId: null,
      retentionTimeMs: -1,
      topics: groups.byTopic([
        { topic: "t", partition: 1, offset: 2 ** 40, leaderEpoch: 3, metadata: "größe" },
        { topic: "t", partition: 2, offset: 0, leaderEpoch: -1, metadata: "" },
      ]),
    }),
    bytesOf(
      apis.offsetCommitV8.createRequest(member.group, member.generation, member.memberId, null, [{
        name: "t",
        partitions: [
          {
            partitionIndex: 1,
            committedOffset: 2n ** 40n,
            committedLeaderEpoch: 3,
            committedMetadata: "größe",
          },
          {
            partitionIndex: 2,
            committedOffset: 0n,
            committedLeaderEpoch: -1,
            committedMetadata: "",
          },
        ],
      }]),
    ),
  ],
  "an offset of a group": () => [
    sent(groups.OFFSET_FETCH, offsetsOf([{ name: "t", partitions: [4] }], true)),
    bytesOf(apis.offsetFetchV8.createRequest(
      [{ groupId: "g", memberEpoch: -1, topics: [{ name: "t", partitionIndexes: [4] }] }],
      true,
    )),
  ],
  "all offsets of a group": () => [
    sent(groups.OFFSET_FETCH, offsetsOf(null, false)),
    bytesOf(apis.offsetFetchV8.createRequest(
      [{ groupId: "g", memberEpoch: -1, topics: null as unknown as [] }],
      false,
    )),
  ],
  "an identity": () => [
    sent(transactions.INIT_PRODUCER_ID, {
      transactionalId: null,
      timeoutMs: 60_000,
      ...transactions.NO_IDENTITY,
    }),
    bytesOf(apis.initProducerIdV4.createRequest(null, 60_000, -1n, -1)),
  ],
  "an owner's identity": () => [
    sent(transactions.INIT_TRANSACTIONS, { ...owner, timeoutMs: 15_000 }),
    bytesOf(
      apis.initProducerIdV4.createRequest(
        owner.transactionalId,
        15_000,
        owner.producerId,
        owner.epoch,
      ),
    ),
  ],
  "announcing partitions": () => [
    sent(transactions.ADD_PARTITIONS_TO_TXN, {
      ...owner,
      topics: [{ name: "a", partitions: [1, 2] }, { name: "b", partitions: [0] }],
    }),
    bytesOf(apis.addPartitionsToTxnV3.createRequest([{
      transactionalId: owner.transactionalId,
      producerId: owner.producerId,
      producerEpoch: owner.epoch,
      verifyOnly: false,
      topics: [{ name: "a", partitions: [1, 2] }, { name: "b", partitions: [0] }],
    }])),
  ],
  "announcing offsets": () => [
    sent(transactions.ADD_OFFSETS_TO_TXN, { ...owner, group: "g" }),
    bytesOf(
      apis.addOffsetsToTxnV3.createRequest(
        owner.transactionalId,
        owner.producerId,
        owner.epoch,
        "g",
      ),
    ),
  ],
  "committing an offset": () => [
    sent(transactions.TXN_OFFSET_COMMIT, {
      ...owner,
      ...member,
      instanceId: null,
      topics: groups.byTopic([
        { topic: "t", partition: 1, offset: 2 ** 40, leaderEpoch: 3, metadata: "größe" },
      ]),
    }),
    bytesOf(
      apis.txnOffsetCommitV3.createRequest(
        owner.transactionalId,
        member.group,
        owner.producerId,
        owner.epoch,
        member.generation,
        member.memberId,
        null,
        [{
          name: "t",
          partitions: [{
            partitionIndex: 1,
            committedOffset: 2n ** 40n,
            committedLeaderEpoch: 3,
            committedMetadata: "größe",
          }],
        }],
      ),
    ),
  ],
  "committing": () => [
    sent(transactions.END_TXN, { ...owner, committed: true }),
    bytesOf(
      apis.endTxnV3.createRequest(owner.transactionalId, owner.producerId, owner.epoch, true),
    ),
  ],
  "describing a transaction": () => [
    sent(transactions.DESCRIBE_TRANSACTIONS, { transactionalIds: ["t"] }),
    bytesOf(apis.describeTransactionsV0.createRequest(["t"])),
  ],
  "a subscription": () => [
    encodeSubscription({
      topics: ["b", "a"],
      owned: new Map([["b", [3, 1]], ["a", []]]),
      generation: 5,
    }),
    new Uint8Array(groupsProtocol.encodeConsumerProtocolSubscription({
      version: 2,
      topics: ["b", "a"],
      userData: Buffer.alloc(0),
      ownedPartitions: [{ topic: "b", partitions: [3, 1] }, { topic: "a", partitions: [] }],
      generationId: 5,
      rackId: null,
    })),
  ],
  "an assignment": () => [
    encodeAssignment(new Map([["b", [3, 1]], ["a", [0]]])),
    new Uint8Array(groupsProtocol.encodeConsumerProtocolAssignment({
      version: 0,
      assignedPartitions: [{ topic: "b", partitions: [3, 1] }, { topic: "a", partitions: [0] }],
    })),
  ],
};

for (const [name, both] of Object.entries(CASES)) {
  Deno.test(`a request is written as another client writes it: ${name}`, () => {
    const [ours, theirs] = both();
    assert.ok(ours.length > 0);
    assert.deepEqual(ours, theirs);
  });
}

Deno.test("records go out as they are, in whatever pieces", () => {
  const small = new Uint8Array([9, 8, 7]);
  const bytes = written((to) =>
    writeProduce(to, {
      transactionalId: "id",
      acks: -1,
      timeoutMs: 1000,
      batches: [
        { topic: "t", partition: 0, bytes: batch },
        { topic: "u", partition: 2, bytes: small },
        { topic: "t", partition: 1, bytes: small },
      ],
    }, PRODUCE.versions[1])
  );
  // Number of topics, name, number of partitions, number, length, records, tagged fields.
  const head = [3, 105, 100, 255, 255, 0, 0, 3, 232, 3];
  const expected = Buffer.concat([
    Buffer.from([...head, 2, 116, 3, 0, 0, 0, 0, 193, 184, 2]),
    batch,
    Buffer.from([0, 0, 0, 0, 1, 4, 9, 8, 7, 0, 0, 2, 117, 2, 0, 0, 0, 2, 4, 9, 8, 7, 0, 0, 0]),
  ]);
  assert.deepEqual(bytes, new Uint8Array(expected));
});

Deno.test("what members say is read from other clients, whatever version", () => {
  for (const version of [0, 1, 2, 3]) {
    const bytes = groupsProtocol.encodeConsumerProtocolSubscription({
      version,
      topics: ["t"],
      userData: Buffer.from("of the user"),
      ownedPartitions: [{ topic: "t", partitions: [1, 2] }],
      generationId: 7,
      rackId: "r",
    });
    assert.deepEqual(decodeSubscription(bytes), {
      topics: ["t"],
      owned: version >= 1 ? new Map([["t", [1, 2]]]) : new Map(),
      generation: version >= 2 ? 7 : -1,
    });
  }
  const share = groupsProtocol.encodeConsumerProtocolAssignment({
    version: 1,
    assignedPartitions: [{ topic: "t", partitions: [4] }],
    userData: Buffer.from("x"),
  });
  assert.deepEqual(decodeAssignment(share), new Map([["t", [4]]]));
  assert.deepEqual(decodeAssignment(new Uint8Array(0)), new Map());
});

Deno.test("errors are found wherever they are in a response, with their place and the broker's words", () => {
  const { METADATA } = topics;
  assert.equal(checked(METADATA, 5), 5);
  const response = {
    errorCode: 0,
    topics: [
      { name: "t", partitions: [{ partition: 0, errorCode: 3 }, { partition: 1, errorCode: 0 }] },
      { name: "u", errorCode: 12_345, errorMessage: "From the future." },
    ],
  };
  assert.throws(() => checked(METADATA, response), (error) => {
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
  for (const module of [topics, groups, transactions]) {
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
