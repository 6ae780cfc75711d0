// What a broker may respond that is wrong, and what comes of it.
import { Buffer } from "node:buffer";
import { gzipSync } from "node:zlib";
import { PRODUCE } from "../../../../../runtime/log/kafka/append/produce.ts";
import { API_VERSIONS } from "../../../../../runtime/log/kafka/protocol/api.ts";
import * as groups from "../../../../../runtime/log/kafka/protocol/groups.ts";
import {
  FIND_COORDINATOR,
  LIST_OFFSETS,
  METADATA,
} from "../../../../../runtime/log/kafka/protocol/topics.ts";
import { FETCH } from "../../../../../runtime/log/kafka/read/fetch.ts";
import { packedBatch, withAttributes } from "../../../../support/packed_batches.ts";
import type { Lie } from "../../../../support/scripted_broker.ts";
import {
  append,
  batch,
  bytes,
  count,
  create,
  fetched,
  join,
  metadata,
  offsets,
  oldMessage,
  own,
  patched,
  read,
  record,
  type Task,
} from "./lies_kit.ts";

/** What is tried again until its time is over: whether it came to an answer in it depends on the machine. */
export const UNTIL_LATE = /LEADER_NOT_AVAILABLE|no response within/;
const NOTHING_READ = /no record from the requested offset 5 on/;
const bomb = packedBatch([record], "gzip", gzipSync(Buffer.alloc(64 * 1024 * 1024)));

/** Each lie, told by all answers to one request, and what comes of the task. */
export const LIES: readonly (readonly [string, { readonly key: number }, Lie, Task, RegExp])[] = [
  // Frames.
  ["half of an answer", METADATA, bytes((all) => all.subarray(0, 20)), count, UNTIL_LATE],
  [
    "a length of 2 GiB",
    METADATA,
    patched((all) => all.setInt32(0, 2 ** 31 - 1)),
    count,
    /not a Kafka broker/,
  ],
  [
    "a negative length",
    METADATA,
    patched((all) => all.setInt32(0, -1)),
    count,
    /not a Kafka broker/,
  ],
  [
    "another request's number",
    METADATA,
    patched((all) => all.setInt32(4, 99)),
    count,
    /sent response 99, expected/,
  ],
  ["an answer twice", PRODUCE, bytes((all) => Buffer.concat([all, all])), append, /appended at/],
  [
    "an answer that ends too early",
    METADATA,
    bytes((all) => {
      all.writeInt32BE(30, 0);
      return all.subarray(0, 34);
    }),
    count,
    /Metadata, version 12: it ends too early/,
  ],
  [
    "nothing but ones",
    METADATA,
    bytes((all) => all.fill(255, 8)),
    count,
    /wrong response: Metadata, version 12/,
  ],
  [
    "text instead",
    METADATA,
    bytes(() => Buffer.from("HTTP/1.1 400 Bad")),
    count,
    /not a Kafka broker/,
  ],
  [
    "versions of nothing",
    API_VERSIONS,
    { fields: (all) => all.apiKeys = [] },
    count,
    /does not support Metadata/,
  ],
  [
    "versions that are negative",
    API_VERSIONS,
    { fields: (all) => all.apiKeys.forEach((api: { maxVersion: number }) => api.maxVersion = -5) },
    count,
    /supports Metadata in versions 4 to -5/,
  ],
  // Metadata.
  ["no brokers", METADATA, metadata((all) => all.brokers = []), append, UNTIL_LATE],
  ["no topics", METADATA, metadata((all) => all.topics = []), append, /Cannot find topic/],
  [
    "another topic",
    METADATA,
    metadata((all) => all.topics[0]!.name = "u"),
    append,
    /Cannot find topic/,
  ],
  [
    "one partition, the last of two billion",
    METADATA,
    metadata((all) => all.topics[0]!.partitions[0]!.partition = 2 ** 31 - 1),
    count,
    /Metadata lacks or repeats partitions of t/,
  ],
  [
    "a partition twice",
    METADATA,
    metadata(({ topics: [topic] }) => topic!.partitions.push(topic!.partitions[0]!)),
    count,
    /Metadata lacks or repeats partitions of t/,
  ],
  [
    "a leader that is no broker",
    METADATA,
    metadata((all) => all.topics[0]!.partitions[0]!.leaderId = 9),
    append,
    UNTIL_LATE,
  ],
  [
    "a broker at no port",
    METADATA,
    metadata((all) => all.brokers[0]!.port = -1),
    append,
    /cannot reach/,
  ],
  [
    "a broker without a host",
    METADATA,
    metadata((all) => all.brokers[0]!.host = ""),
    append,
    /it has no host/,
  ],
  [
    "a new topic that never appears",
    METADATA,
    metadata((all) => all.topics = []),
    create,
    UNTIL_LATE,
  ],
  // Coordinators and groups.
  [
    "a coordinator nowhere",
    FIND_COORDINATOR,
    { fields: (all) => all.port = 0 },
    own,
    /cannot reach/,
  ],
  [
    "a checkpoint of another partition",
    groups.OFFSET_FETCH,
    { fields: ({ topics: [topic] }) => topic.partitions[0].partition = 7 },
    own,
    /begins at undefined/,
  ],
  [
    "a member without an id",
    groups.JOIN_GROUP,
    { fields: (all) => all.errorCode = 79 },
    join,
    /MEMBER_ID_REQUIRED/,
  ],
  [
    "a group that never settles",
    groups.SYNC_GROUP,
    { fields: (all) => all.errorCode = 27 },
    join,
    /REBALANCE_IN_PROGRESS/,
  ],
  [
    "a member that cannot be understood",
    groups.JOIN_GROUP,
    { fields: (all) => all.leader = all.memberId },
    join,
    /partitions $/,
  ],
  [
    "an assignment of two billion partitions",
    groups.SYNC_GROUP,
    { fields: (all) => all.assignment = Uint8Array.of(0, 0, 127, 255, 255, 255, 0) },
    join,
    /assignment is malformed: it ends too early/,
  ],
  // Offsets and appends.
  [
    "no offsets",
    LIST_OFFSETS,
    { fields: (all) => all.topics = [] },
    offsets,
    /ListOffsets has no offset of t\/0/,
  ],
  [
    "a negative offset",
    LIST_OFFSETS,
    { fields: ({ topics: [topic] }) => topic.partitions[0].offset = -7 },
    offsets,
    /ListOffsets has no offset of t\/0/,
  ],
  [
    "an append elsewhere",
    PRODUCE,
    { fields: (all) => all.topics[0].name = "u" },
    append,
    /not about t/,
  ],
  [
    "an append without a word",
    PRODUCE,
    { fields: (all) => all.topics = [] },
    append,
    /not about t/,
  ],
  // Records.
  [
    "a fetch of nothing",
    FETCH,
    { fields: (all) => all.topics = [] },
    read,
    /Fetch says nothing about t\/0/,
  ],
  [
    "a fetch of another partition",
    FETCH,
    fetched(batch(), { partition: 3 }),
    read,
    /Fetch says nothing about t\/0/,
  ],
  [
    "a fetch of another topic",
    FETCH,
    { fields: (all) => all.topics[0].topicId = "f".repeat(32) },
    read,
    /Fetch says nothing about t\/0/,
  ],
  [
    "offsets that go back",
    FETCH,
    fetched(batch((all) => all.writeBigInt64BE(2n, 0))),
    read,
    NOTHING_READ,
  ],
  [
    "offsets beyond the end",
    FETCH,
    fetched(batch((all) => all.writeBigInt64BE(2n ** 62n, 0))),
    read,
    /beyond its high watermark 10/,
  ],
  ["a batch that is not whole", FETCH, fetched(batch().subarray(0, 70)), read, NOTHING_READ],
  [
    "a last offset before the first",
    FETCH,
    fetched(batch((all) => all.writeInt32BE(-9, 23))),
    read,
    NOTHING_READ,
  ],
  [
    "a batch of a negative length",
    FETCH,
    fetched(batch((all) => all.writeInt32BE(-12, 8))),
    read,
    /its length is 0 bytes/,
  ],
  [
    "two billion records",
    FETCH,
    fetched(batch((all) => all.writeInt32BE(2 ** 31 - 1, 57))),
    read,
    /a frame/,
  ],
  [
    "an unknown format",
    FETCH,
    fetched(batch((all) => all.writeInt8(3, 16))),
    read,
    /unsupported record format 3/,
  ],
  ["records of Kafka 0.10", FETCH, fetched(oldMessage(1)), read, /unsupported record format 1/],
  [
    "an unknown compression",
    FETCH,
    fetched(withAttributes(Buffer.from(batch()), 7)),
    read,
    /compression 7 is unknown/,
  ],
  [
    "a compression bomb",
    FETCH,
    fetched(withAttributes(bomb.fill(5, 7, 8), 1)),
    read,
    /it unpacks to more than/,
  ],
  ["a flipped bit", FETCH, fetched(batch().fill(9, 70, 71)), read, /wrong checksum/],
  [
    "another history",
    FETCH,
    fetched(new Uint8Array(0), { diverged: true }),
    read,
    /truncated and written again/,
  ],
  [
    "a replica that is not there",
    FETCH,
    fetched(new Uint8Array(0), { preferredReplica: 8 }),
    read,
    /redirects to broker 8/,
  ],
];
