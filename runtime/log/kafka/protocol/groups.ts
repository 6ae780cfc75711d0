// Requests about consumer groups.
import { api } from "./api.ts";
import * as f from "./fields.ts";

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

const instanceId = f.nullableString;

export const JOIN_GROUP = api("JoinGroup", 11, [2, 7], 6, {
  request: f.struct({
    group: f.string,
    sessionTimeoutMs: f.int32,
    rebalanceTimeoutMs: f.int32,
    memberId: f.string,
    instanceId: f.since(5, instanceId, null),
    protocolType: f.string,
    protocols: f.array(f.struct({ name: f.string, metadata: f.bytes })),
  }),
  response: f.struct({
    ...f.head,
    generation: f.int32,
    protocolType: f.since(7, f.nullableString, null),
    protocolName: f.nullableString,
    leader: f.string,
    memberId: f.string,
    members: f.array(f.struct({
      memberId: f.string,
      instanceId: f.since(5, instanceId, null),
      metadata: f.bytes,
    })),
  }),
});

export const SYNC_GROUP = api("SyncGroup", 14, [1, 5], 4, {
  request: f.struct({
    group: f.string,
    generation: f.int32,
    memberId: f.string,
    instanceId: f.since(3, instanceId, null),
    protocolType: f.since(5, f.nullableString, null),
    protocolName: f.since(5, f.nullableString, null),
    assignments: f.array(f.struct({ memberId: f.string, assignment: f.bytes })),
  }),
  response: f.struct({
    ...f.head,
    protocolType: f.since(5, f.nullableString, null),
    protocolName: f.since(5, f.nullableString, null),
    assignment: f.bytes,
  }),
});

export const HEARTBEAT = api("Heartbeat", 12, [1, 4], 4, {
  request: f.struct({
    group: f.string,
    generation: f.int32,
    memberId: f.string,
    instanceId: f.since(3, instanceId, null),
  }),
  response: f.outcome,
});

export const LEAVE_GROUP = api("LeaveGroup", 13, [1, 4], 4, {
  request: f.struct({
    group: f.string,
    memberId: f.between(0, 2, f.string, ""),
    members: f.since(3, f.array(f.struct({ memberId: f.string, instanceId })), []),
  }),
  response: f.struct({
    ...f.head,
    members: f.since(
      3,
      f.array(f.struct({ memberId: f.string, instanceId, errorCode: f.int16 })),
      [],
    ),
  }),
});

export const LIST_GROUPS = api("ListGroups", 16, [1, 4], 3, {
  request: f.struct({ statesFilter: f.since<readonly string[]>(4, f.array(f.string), []) }),
  response: f.struct({
    ...f.head,
    groups: f.array(
      f.struct({ group: f.string, protocolType: f.string, state: f.since(4, f.string, "") }),
    ),
  }),
});

/** A group that does not exist has no members. */
export const DESCRIBE_GROUPS = api("DescribeGroups", 15, [1, 5], 5, {
  request: f.struct({
    groups: f.array(f.string),
    includeAuthorizedOperations: f.since(3, f.boolean, false),
  }),
  response: f.struct({
    throttleTimeMs: f.int32,
    groups: f.array(f.struct({
      errorCode: f.int16,
      name: f.string,
      state: f.string,
      protocolType: f.string,
      protocol: f.string,
      members: f.array(f.struct({
        memberId: f.string,
        instanceId: f.since(4, instanceId, null),
        clientId: f.string,
        clientHost: f.string,
        metadata: f.bytes,
        assignment: f.bytes,
      })),
      authorizedOperations: f.since(3, f.int32, 0),
    })),
  }),
});

export const OFFSET_COMMIT = api("OffsetCommit", 8, [2, 8], 8, {
  request: f.struct({
    group: f.string,
    generation: f.int32,
    memberId: f.string,
    instanceId: f.since(7, instanceId, null),
    retentionTimeMs: f.between(2, 4, f.int64, -1),
    topics: f.partitions({
      offset: f.int64,
      leaderEpoch: f.since(6, f.int32, -1),
      metadata: f.nullableString,
    }),
  }),
  response: f.struct({ throttleTimeMs: f.since(3, f.int32, 0), topics: f.partitionErrors }),
});

/** With `topics: null`: all offsets of the group. */
export const OFFSET_FETCH = api("OffsetFetch", 9, [2, 7], 6, {
  request: f.struct({
    group: f.string,
    topics: f.nullableArray(f.struct({ name: f.string, partitions: f.array(f.int32) })),
    requireStable: f.since(7, f.boolean, false),
  }),
  response: f.struct({
    throttleTimeMs: f.since(3, f.int32, 0),
    topics: f.partitions({
      offset: f.int64,
      leaderEpoch: f.since(5, f.int32, -1),
      metadata: f.nullableString,
      errorCode: f.int16,
    }),
    errorCode: f.int16,
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
