// Requests about brokers, topics, offsets and coordinators.
import { api } from "./api.ts";
import {
  array,
  between,
  boolean,
  head,
  int16,
  int32,
  int64,
  int8,
  nullableArray,
  nullableString,
  since,
  string,
  struct,
  uuid,
  type Value,
} from "./fields.ts";

export const READ_COMMITTED = 1;
/** Replica id of a client. */
export const NO_REPLICA = -1;
/** Topic id on brokers without topic ids. */
export const NO_ID = "0".repeat(32);
export const COORDINATED = { group: 0, transaction: 1 } as const;

export const METADATA = api("Metadata", 3, [4, 12], 9, {
  request: struct({
    topics: nullableArray(struct({ topicId: since(10, uuid, NO_ID), name: nullableString })),
    allowAutoTopicCreation: boolean,
    includeClusterAuthorizedOperations: between(8, 10, boolean, false),
    includeTopicAuthorizedOperations: since(8, boolean, false),
  }),
  response: struct({
    throttleTimeMs: int32,
    brokers: array(struct({ nodeId: int32, host: string, port: int32, rack: nullableString })),
    clusterId: nullableString,
    controllerId: int32,
    topics: array(struct({
      errorCode: int16,
      name: string,
      topicId: since(10, uuid, NO_ID),
      isInternal: boolean,
      partitions: array(struct({
        errorCode: int16,
        partition: int32,
        leaderId: int32,
        leaderEpoch: since(7, int32, -1),
        replicas: array(int32),
        inSyncReplicas: array(int32),
        offlineReplicas: since<readonly number[]>(5, array(int32), []),
      })),
      authorizedOperations: since(8, int32, 0),
    })),
    clusterAuthorizedOperations: between(8, 10, int32, 0),
  }),
});
export type Metadata = Value<typeof METADATA.response>;

export const FIND_COORDINATOR = api("FindCoordinator", 10, [1, 3], 3, {
  request: struct({ key: string, keyType: int8 }),
  response: struct({
    ...head,
    errorMessage: nullableString,
    nodeId: int32,
    host: string,
    port: int32,
  }),
});

const topicErrors = struct({
  throttleTimeMs: int32,
  topics: array(struct({ name: string, errorCode: int16, errorMessage: nullableString })),
});

export const CREATE_TOPICS = api("CreateTopics", 19, [2, 4], 5, {
  request: struct({
    topics: array(struct({
      name: string,
      partitions: int32,
      replicationFactor: int16,
      assignments: array(struct({ partition: int32, brokerIds: array(int32) })),
      configs: array(struct({ name: string, value: nullableString })),
    })),
    timeoutMs: int32,
    validateOnly: boolean,
  }),
  response: topicErrors,
});
/** First version in which replication factor −1 means the broker's default. */
export const DEFAULT_REPLICATION_SINCE = 4;

export const CREATE_PARTITIONS = api("CreatePartitions", 37, [0, 3], 2, {
  request: struct({
    topics: array(struct({
      name: string,
      count: int32,
      assignments: nullableArray(struct({ brokerIds: array(int32) })),
    })),
    timeoutMs: int32,
    validateOnly: boolean,
  }),
  response: topicErrors,
});

export const LIST_OFFSETS = api("ListOffsets", 2, [2, 7], 6, {
  request: struct({
    replicaId: int32,
    isolationLevel: int8,
    topics: array(struct({
      name: string,
      partitions: array(struct({
        partition: int32,
        leaderEpoch: since(4, int32, -1),
        timestamp: int64,
      })),
    })),
  }),
  response: struct({
    throttleTimeMs: int32,
    topics: array(struct({
      name: string,
      partitions: array(struct({
        partition: int32,
        errorCode: int16,
        timestamp: int64,
        offset: int64,
        leaderEpoch: since(4, int32, -1),
      })),
    })),
  }),
});
