// Requests about consumer groups.
import { api } from "./api.ts";
import {
  array,
  between,
  boolean,
  bytes,
  type Field,
  head,
  int16,
  int32,
  int64,
  nullableArray,
  nullableString,
  outcome,
  partitionErrors,
  since,
  string,
  struct,
} from "./fields.ts";

/** A member of a group in one generation. */
export interface GroupMembership {
  readonly group: string;
  readonly memberId: string;
  readonly generation: number;
}

export interface OffsetToCommit {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  /** Leader epoch of the record before `offset`; −1 when unknown. */
  readonly leaderEpoch: number;
  readonly metadata: string;
}

const instanceId = nullableString;

export function offsetsToCommit(leaderEpoch: Field<number>) {
  const partition = struct({
    partition: int32,
    offset: int64,
    leaderEpoch,
    metadata: nullableString,
  });
  return array(struct({ name: string, partitions: array(partition) }));
}

export const JOIN_GROUP = api("JoinGroup", 11, [2, 7], 6, {
  request: struct({
    group: string,
    sessionTimeoutMs: int32,
    rebalanceTimeoutMs: int32,
    memberId: string,
    instanceId: since(5, instanceId, null),
    protocolType: string,
    protocols: array(struct({ name: string, metadata: bytes })),
  }),
  response: struct({
    ...head,
    generation: int32,
    protocolType: since(7, nullableString, null),
    protocolName: nullableString,
    leader: string,
    memberId: string,
    members: array(struct({
      memberId: string,
      instanceId: since(5, instanceId, null),
      metadata: bytes,
    })),
  }),
});

export const SYNC_GROUP = api("SyncGroup", 14, [1, 5], 4, {
  request: struct({
    group: string,
    generation: int32,
    memberId: string,
    instanceId: since(3, instanceId, null),
    protocolType: since(5, nullableString, null),
    protocolName: since(5, nullableString, null),
    assignments: array(struct({ memberId: string, assignment: bytes })),
  }),
  response: struct({
    ...head,
    protocolType: since(5, nullableString, null),
    protocolName: since(5, nullableString, null),
    assignment: bytes,
  }),
});

export const HEARTBEAT = api("Heartbeat", 12, [1, 4], 4, {
  request: struct({
    group: string,
    generation: int32,
    memberId: string,
    instanceId: since(3, instanceId, null),
  }),
  response: outcome,
});

export const LEAVE_GROUP = api("LeaveGroup", 13, [1, 4], 4, {
  request: struct({
    group: string,
    memberId: between(0, 2, string, ""),
    members: since(3, array(struct({ memberId: string, instanceId })), []),
  }),
  response: struct({
    ...head,
    members: since(3, array(struct({ memberId: string, instanceId, errorCode: int16 })), []),
  }),
});

export const LIST_GROUPS = api("ListGroups", 16, [1, 4], 3, {
  request: struct({ statesFilter: since<readonly string[]>(4, array(string), []) }),
  response: struct({
    ...head,
    groups: array(struct({ group: string, protocolType: string, state: since(4, string, "") })),
  }),
});

/** A group that does not exist has no members. */
export const DESCRIBE_GROUPS = api("DescribeGroups", 15, [1, 5], 5, {
  request: struct({
    groups: array(string),
    includeAuthorizedOperations: since(3, boolean, false),
  }),
  response: struct({
    throttleTimeMs: int32,
    groups: array(struct({
      errorCode: int16,
      name: string,
      state: string,
      protocolType: string,
      protocol: string,
      members: array(struct({
        memberId: string,
        instanceId: since(4, instanceId, null),
        clientId: string,
        clientHost: string,
        metadata: bytes,
        assignment: bytes,
      })),
      authorizedOperations: since(3, int32, 0),
    })),
  }),
});

export const OFFSET_COMMIT = api("OffsetCommit", 8, [2, 8], 8, {
  request: struct({
    group: string,
    generation: int32,
    memberId: string,
    instanceId: since(7, instanceId, null),
    retentionTimeMs: between(2, 4, int64, -1),
    topics: offsetsToCommit(since(6, int32, -1)),
  }),
  response: struct({ throttleTimeMs: since(3, int32, 0), topics: partitionErrors }),
});

/** With `topics: null`: all offsets of the group. */
export const OFFSET_FETCH = api("OffsetFetch", 9, [2, 7], 6, {
  request: struct({
    group: string,
    topics: nullableArray(struct({ name: string, partitions: array(int32) })),
    requireStable: since(7, boolean, false),
  }),
  response: struct({
    throttleTimeMs: since(3, int32, 0),
    topics: array(struct({
      name: string,
      partitions: array(struct({
        partition: int32,
        offset: int64,
        leaderEpoch: since(5, int32, -1),
        metadata: nullableString,
        errorCode: int16,
      })),
    })),
    errorCode: int16,
  }),
});

/** A group's committed offset; −1 if there is none. */
export interface CommittedOffset extends Omit<OffsetToCommit, "metadata"> {
  readonly metadata: string | null;
}

export function byTopic<P extends { readonly topic: string }>(
  places: readonly P[],
  nameOf: (place: P) => string = ({ topic }) => topic,
): { readonly name: string; readonly partitions: readonly P[] }[] {
  if (places.length === 1) return [{ name: nameOf(places[0]!), partitions: places }];
  return [...Map.groupBy(places, nameOf)]
    .map(([name, partitions]) => ({ name, partitions }));
}
