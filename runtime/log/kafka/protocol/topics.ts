// Requests about brokers, topics, offsets and coordinators.
import { api } from "./api.ts";
import * as f from "./fields.ts";

export const READ_COMMITTED = 1;
/** Replica id of a client. */
export const NO_REPLICA = -1;
/** Topic id on brokers without topic ids. */
export const NO_ID = "0".repeat(32);
export const COORDINATED = { group: 0, transaction: 1 } as const;

export const METADATA = api("Metadata", 3, [4, 12], 9, {
  request: f.struct({
    topics: f.nullableArray(
      f.struct({ topicId: f.since(10, f.uuid, NO_ID), name: f.nullableString }),
    ),
    allowAutoTopicCreation: f.boolean,
    includeClusterAuthorizedOperations: f.between(8, 10, f.boolean, false),
    includeTopicAuthorizedOperations: f.since(8, f.boolean, false),
  }),
  response: f.struct({
    throttleTimeMs: f.int32,
    brokers: f.array(
      f.struct({ nodeId: f.int32, host: f.string, port: f.int32, rack: f.nullableString }),
    ),
    clusterId: f.nullableString,
    controllerId: f.int32,
    topics: f.array(f.struct({
      errorCode: f.int16,
      name: f.string,
      topicId: f.since(10, f.uuid, NO_ID),
      isInternal: f.boolean,
      partitions: f.array(f.struct({
        errorCode: f.int16,
        partition: f.int32,
        leaderId: f.int32,
        leaderEpoch: f.since(7, f.int32, -1),
        replicas: f.array(f.int32),
        inSyncReplicas: f.array(f.int32),
        offlineReplicas: f.since<readonly number[]>(5, f.array(f.int32), []),
      })),
      authorizedOperations: f.since(8, f.int32, 0),
    })),
    clusterAuthorizedOperations: f.between(8, 10, f.int32, 0),
  }),
});
export type Metadata = f.Value<typeof METADATA.response>;

export const FIND_COORDINATOR = api("FindCoordinator", 10, [1, 3], 3, {
  request: f.struct({ key: f.string, keyType: f.int8 }),
  response: f.struct({
    ...f.head,
    errorMessage: f.nullableString,
    nodeId: f.int32,
    host: f.string,
    port: f.int32,
  }),
});

const topicErrors = f.struct({
  throttleTimeMs: f.int32,
  topics: f.array(f.struct({ name: f.string, errorCode: f.int16, errorMessage: f.nullableString })),
});

export const CREATE_TOPICS = api("CreateTopics", 19, [2, 4], 5, {
  request: f.struct({
    topics: f.array(f.struct({
      name: f.string,
      partitions: f.int32,
      replicationFactor: f.int16,
      assignments: f.array(f.struct({ partition: f.int32, brokerIds: f.array(f.int32) })),
      configs: f.array(f.struct({ name: f.string, value: f.nullableString })),
    })),
    timeoutMs: f.int32,
    validateOnly: f.boolean,
  }),
  response: topicErrors,
});
/** First version in which replication factor −1 means the broker's default. */
export const DEFAULT_REPLICATION_SINCE = 4;

export const CREATE_PARTITIONS = api("CreatePartitions", 37, [0, 3], 2, {
  request: f.struct({
    topics: f.array(f.struct({
      name: f.string,
      count: f.int32,
      assignments: f.nullableArray(f.struct({ brokerIds: f.array(f.int32) })),
    })),
    timeoutMs: f.int32,
    validateOnly: f.boolean,
  }),
  response: topicErrors,
});

export const LIST_OFFSETS = api("ListOffsets", 2, [2, 7], 6, {
  request: f.struct({
    replicaId: f.int32,
    isolationLevel: f.int8,
    topics: f.partitions({
      leaderEpoch: f.since(4, f.int32, -1),
      timestamp: f.int64,
    }),
  }),
  response: f.struct({
    throttleTimeMs: f.int32,
    topics: f.partitions({
      errorCode: f.int16,
      timestamp: f.int64,
      offset: f.int64,
      leaderEpoch: f.since(4, f.int32, -1),
    }),
  }),
});
