/** What a group's members and a transaction's owner send. */
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
import * as groups from "../../../../../runtime/log/kafka/protocol/groups.ts";
import * as transactions from "../../../../../runtime/log/kafka/protocol/transactions.ts";
import { bytesOf, sent, writtenAlike } from "./requests_kit.ts";

const metadata = Buffer.from([1, 2, 3]);
const owner = { transactionalId: "framelane-wall", producerId: 2n ** 40n + 7n, epoch: 12 };
const member = { group: "wände", memberId: "m-1", generation: 70_000 };

function offsetsOf(
  topics: readonly { readonly name: string; readonly partitions: readonly number[] }[] | null,
  requireStable: boolean,
) {
  return { group: "g", topics, requireStable };
}

writtenAlike({
  "joining a group": () => [
    sent(groups.JOIN_GROUP, {
      group: "g",
      memberId: "m",
      instanceId: null,
      sessionTimeoutMs: 6000,
      rebalanceTimeoutMs: 9000,
      protocolType: "consumer",
      protocols: [{ name: "framelane", metadata }],
    }),
    bytesOf(
      apis.joinGroupV7.createRequest(
        "g",
        6000,
        9000,
        "m",
        null,
        "consumer",
        [{ name: "framelane", metadata }],
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
      members: [{ memberId: member.memberId, instanceId: null }],
    }),
    bytesOf(apis.leaveGroupV4.createRequest(member.group, [
      { memberId: member.memberId, groupInstanceId: null },
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
    bytesOf(apis.offsetFetchV7.createRequest(
      [{ groupId: "g", memberEpoch: -1, topics: [{ name: "t", partitionIndexes: [4] }] }],
      true,
    )),
  ],
  "all offsets of a group": () => [
    sent(groups.OFFSET_FETCH, offsetsOf(null, false)),
    bytesOf(apis.offsetFetchV7.createRequest(
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
