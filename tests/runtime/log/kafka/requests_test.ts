import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import * as apis from "../../../../node_modules/@platformatic/kafka/dist/apis/index.js";
import * as groupsProtocol from "../../../../node_modules/@platformatic/kafka/dist/clients/consumer/consumer-protocol.js";
import { protocolErrors } from "../../../../runtime/log/kafka/failures.ts";
import type { Connection } from "../../../../runtime/log/kafka/connection.ts";
import * as cluster from "../../../../runtime/log/kafka/requests/cluster.ts";
import {
  decodeAssignment,
  decodeSubscription,
  encodeAssignment,
  encodeSubscription,
} from "../../../../runtime/log/kafka/requests/consumer_protocol.ts";
import { type FetchPart, fetchParts } from "../../../../runtime/log/kafka/requests/fetch.ts";
import * as groups from "../../../../runtime/log/kafka/requests/groups.ts";
import { produce } from "../../../../runtime/log/kafka/requests/produce.ts";
import { type Call, Refusals } from "../../../../runtime/log/kafka/requests/request.ts";
import * as transactions from "../../../../runtime/log/kafka/requests/transactions.ts";
import { RequestWriter } from "../../../../runtime/log/kafka/wire.ts";

/** The bytes that a request sends, without its header. */
function sent(request: (connection: Connection) => Promise<unknown>): Uint8Array {
  const to = new RequestWriter();
  const take = (_call: Call, write: (to: RequestWriter) => void) => {
    write(to);
    return new Promise<never>(() => {});
  };
  void request({ request: take, send: take } as unknown as Connection);
  const size = to.size;
  const bytes = Buffer.concat(to.pieces());
  assert.equal(bytes.length, size);
  return new Uint8Array(bytes);
}

const bytesOf = ({ buffer }: { readonly buffer: Uint8Array }) => new Uint8Array(buffer);

const metadata = Buffer.from([1, 2, 3]);
const owner = { transactionalId: "framelane-wall", producerId: 2n ** 40n + 7n, epoch: 12 };
const member = { group: "wände", memberId: "m-1", generation: 70_000 };
const batch = new Uint8Array(40_000).map((_, i) => i);

function part(topic: number, partition: number, offset: number): FetchPart {
  return {
    topicId: `0123456789ab4def812300000000000${topic}`,
    partition,
    offset,
    leaderEpoch: partition % 3,
    fetchedEpoch: partition % 2 === 0 ? -1 : partition,
    maxBytes: 2_097_152 - partition,
  };
}

function fetchOf(parts: readonly FetchPart[]): [Uint8Array, Uint8Array] {
  const topics = Map.groupBy(parts, ({ topicId }) => topicId);
  const request = [...topics].map(([topicId, of]) => ({
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
    sent((to) => fetchParts(to, parts, { maxWaitMs: 500, maxBytes: 8_388_608 })),
    bytesOf(
      apis.fetchV13.createRequest(
        500,
        1,
        8_388_608,
        cluster.READ_COMMITTED,
        0,
        -1,
        request,
        [],
        "",
      ),
    ),
  ];
}

const CASES: Record<string, () => [ours: Uint8Array, theirs: Uint8Array]> = {
  "a fetch of one partition": () => fetchOf([part(1, 0, 0)]),
  "a fetch beyond 32 bits": () =>
    fetchOf([part(1, 0, 2 ** 31), part(1, 1, 2 ** 32), part(1, 2, 2 ** 53 - 1)]),
  "a fetch of topics in turn": () => fetchOf([part(1, 0, 7), part(2, 0, 8), part(1, 5, 9)]),
  "a fetch of 20,000 partitions": () =>
    fetchOf(Array.from({ length: 20_000 }, (_, i) => part(1, i, i))),
  "metadata of topics": () => [
    sent((to) => cluster.metadata(to, ["VideoStreaming", "b"])),
    bytesOf(apis.metadataV12.createRequest(["VideoStreaming", "b"], false, false)),
  ],
  "metadata of all topics": () => [
    sent((to) => cluster.metadata(to, null)),
    bytesOf(apis.metadataV12.createRequest(null, false, false)),
  ],
  "finding a group's coordinator": () => [
    sent((to) => cluster.findCoordinator(to, "group", "g")),
    bytesOf(apis.findCoordinatorV4.createRequest(0, ["g"])),
  ],
  "finding a transaction's coordinator": () => [
    sent((to) => cluster.findCoordinator(to, "transaction", "t")),
    bytesOf(apis.findCoordinatorV4.createRequest(1, ["t"])),
  ],
  "creating a topic": () => [
    sent((to) => cluster.createTopic(to, "t", 300, { "max.message.bytes": "1" }, 5000)),
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
    sent((to) => cluster.createPartitions(to, "t", 7, 5000)),
    bytesOf(
      apis.createPartitionsV3.createRequest(
        [{ name: "t", count: 7, assignments: null as unknown as [] }],
        5000,
        false,
      ),
    ),
  ],
  "listing an offset": () => [
    sent((to) => cluster.listOffset(to, { topic: "t", partition: 3, leaderEpoch: 2 }, -2)),
    bytesOf(apis.listOffsetsV7.createRequest(-1, 1, [{
      name: "t",
      partitions: [{ partitionIndex: 3, currentLeaderEpoch: 2, timestamp: -2n }],
    }])),
  ],
  "joining a group": () => [
    sent((to) =>
      groups.joinGroup(to, {
        group: "g",
        memberId: "m",
        sessionTimeoutMs: 6000,
        rebalanceTimeoutMs: 9000,
        protocolType: "consumer",
        protocol: "framelane",
        metadata,
      })
    ),
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
    sent((to) =>
      groups.syncGroup(to, member, "consumer", "framelane", [
        { memberId: "a", assignment: metadata },
        { memberId: "b", assignment: new Uint8Array(0) },
      ])
    ),
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
    sent((to) => groups.heartbeat(to, member)),
    bytesOf(
      apis.heartbeatV4.createRequest(member.group, member.generation, member.memberId, null),
    ),
  ],
  "leaving": () => [
    sent((to) => groups.leaveGroup(to, member)),
    bytesOf(apis.leaveGroupV5.createRequest(member.group, [
      { memberId: member.memberId, groupInstanceId: null, reason: null },
    ])),
  ],
  "listing groups": () => [
    sent((to) => groups.listGroups(to)),
    bytesOf(apis.listGroupsV4.createRequest([], [])),
  ],
  "describing a group": () => [
    sent((to) => groups.describeGroup(to, "g")),
    bytesOf(apis.describeGroupsV5.createRequest(["g"], false)),
  ],
  "committing offsets by a member's word": () => [
    sent((to) =>
      groups.commitOffsets(to, member, [
        { topic: "t", partition: 1, offset: 2 ** 40, leaderEpoch: 3, metadata: "größe" },
        { topic: "t", partition: 2, offset: 0, leaderEpoch: -1, metadata: "" },
      ])
    ),
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
    sent((to) => groups.fetchOffsets(to, "g", { topic: "t", partition: 4 }, true)),
    bytesOf(apis.offsetFetchV8.createRequest(
      [{ groupId: "g", memberEpoch: -1, topics: [{ name: "t", partitionIndexes: [4] }] }],
      true,
    )),
  ],
  "all offsets of a group": () => [
    sent((to) => groups.fetchOffsets(to, "g", undefined, false)),
    bytesOf(apis.offsetFetchV8.createRequest(
      [{ groupId: "g", memberEpoch: -1, topics: null as unknown as [] }],
      false,
    )),
  ],
  "an identity": () => [
    sent((to) => transactions.initProducerId(to, null, 60_000)),
    bytesOf(apis.initProducerIdV4.createRequest(null, 60_000, -1n, -1)),
  ],
  "an owner's identity": () => [
    sent((to) => transactions.initProducerId(to, owner.transactionalId, 15_000, owner)),
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
    sent((to) => transactions.addPartitions(to, owner, [["a", [1, 2]], ["b", [0]]])),
    bytesOf(apis.addPartitionsToTxnV3.createRequest([{
      transactionalId: owner.transactionalId,
      producerId: owner.producerId,
      producerEpoch: owner.epoch,
      verifyOnly: false,
      topics: [{ name: "a", partitions: [1, 2] }, { name: "b", partitions: [0] }],
    }])),
  ],
  "announcing offsets": () => [
    sent((to) => transactions.addOffsets(to, owner, "g")),
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
    sent((to) =>
      transactions.commitOffset(to, owner, member, {
        topic: "t",
        partition: 1,
        offset: 2 ** 40,
        leaderEpoch: 3,
        metadata: "größe",
      })
    ),
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
    sent((to) => transactions.endTransaction(to, owner)),
    bytesOf(
      apis.endTxnV3.createRequest(owner.transactionalId, owner.producerId, owner.epoch, true),
    ),
  ],
  "describing a transaction": () => [
    sent((to) => transactions.describeTransaction(to, "t")),
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
  const bytes = sent((to) =>
    produce(to, {
      transactionalId: "id",
      acks: -1,
      timeoutMs: 1000,
      parts: [
        { topic: "t", partition: 0, bytes: batch },
        { topic: "u", partition: 2, bytes: small },
        { topic: "t", partition: 1, bytes: small },
      ],
    })
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

Deno.test("what a broker refuses is told by its name, and codes of the future are", () => {
  const refusals = new Refusals();
  assert.equal(refusals.over({ key: 3, version: 12 }, 5), 5);
  refusals.note(0, "fine");
  refusals.note(3, "t/0");
  refusals.note(12_345, "t/1");
  const refused = () => refusals.over({ key: 3, version: 12 }, 5);
  assert.throws(refused, (error) => {
    assert.deepEqual(protocolErrors(error), ["UNKNOWN_TOPIC_OR_PARTITION", "UNKNOWN_SERVER_ERROR"]);
    assert.equal((error as { response?: unknown }).response, 5);
    return true;
  });
});
