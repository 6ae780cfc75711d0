/**
 * Requests of groups and about them.
 *
 * @module
 */
import type { Connection } from "../connection.ts";
import { Refusals } from "./request.ts";

const JOIN_GROUP = { key: 11, version: 9 };
const SYNC_GROUP = { key: 14, version: 5 };
const HEARTBEAT = { key: 12, version: 4 };
const LEAVE_GROUP = { key: 13, version: 5 };
const LIST_GROUPS = { key: 16, version: 4 };
const DESCRIBE_GROUPS = { key: 15, version: 5 };
const OFFSET_COMMIT = { key: 8, version: 8 };
const OFFSET_FETCH = { key: 9, version: 8 };

/** A member of a group, as its coordinator knows it. */
export interface GroupMembership {
  readonly group: string;
  /** Empty before the first join. */
  readonly memberId: string;
  readonly generation: number;
}

/** Answer to a join. */
export interface JoinAnswer {
  readonly generation: number;
  readonly leader: string;
  /** The leader has nothing to share out. */
  readonly skipAssignment: boolean;
  readonly memberId: string;
  readonly members: readonly { readonly memberId: string; readonly metadata: Uint8Array }[];
}

/** Joins a group; the answer comes when all members have joined. */
export function joinGroup(
  connection: Connection,
  request: {
    readonly group: string;
    readonly memberId: string;
    readonly sessionTimeoutMs: number;
    readonly rebalanceTimeoutMs: number;
    readonly protocolType: string;
    readonly protocol: string;
    readonly metadata: Uint8Array;
  },
): Promise<JoinAnswer> {
  return connection.request(JOIN_GROUP, (to) => {
    to.string(request.group).int32(request.sessionTimeoutMs).int32(request.rebalanceTimeoutMs);
    to.string(request.memberId).string(null).string(request.protocolType);
    to.structs([request], ({ protocol, metadata }) => to.string(protocol).bytes(metadata));
    to.string(null).noTags(); // reason
  }, (from) => {
    const refusals = new Refusals();
    from.skip(4);
    refusals.note(from.int16(), request.group);
    const generation = from.int32();
    from.nullableString(); // kind of protocol
    from.nullableString();
    const answer = {
      generation,
      leader: from.string(),
      skipAssignment: from.boolean(),
      memberId: from.string(),
      members: from.structs(() => {
        const memberId = from.string();
        from.nullableString(); // instance
        return { memberId, metadata: from.bytes() };
      }),
    };
    from.tags();
    return refusals.over(JOIN_GROUP, answer);
  });
}

/** Gives each member its share, or waits for the leader's; the answer is the own share. */
export function syncGroup(
  connection: Connection,
  member: GroupMembership,
  protocolType: string,
  protocol: string,
  shares: readonly { readonly memberId: string; readonly assignment: Uint8Array }[],
): Promise<Uint8Array> {
  return connection.request(SYNC_GROUP, (to) => {
    to.string(member.group).int32(member.generation).string(member.memberId).string(null);
    to.string(protocolType).string(protocol);
    to.structs(shares, ({ memberId, assignment }) => to.string(memberId).bytes(assignment));
    to.noTags();
  }, (from) => {
    const refusals = new Refusals();
    from.skip(4);
    refusals.note(from.int16(), member.group);
    from.nullableString();
    from.nullableString();
    const share = from.bytes();
    from.tags();
    return refusals.over(SYNC_GROUP, share);
  });
}

/** Says that a member is alive. */
export function heartbeat(connection: Connection, member: GroupMembership): Promise<void> {
  return connection.request(HEARTBEAT, (to) => {
    to.string(member.group).int32(member.generation).string(member.memberId).string(null).noTags();
  }, (from) => {
    const refusals = new Refusals();
    from.skip(4);
    refusals.note(from.int16(), member.group);
    from.tags();
    return refusals.over(HEARTBEAT, undefined);
  });
}

/** Takes a member out of its group. */
export function leaveGroup(
  connection: Connection,
  { group, memberId }: Pick<GroupMembership, "group" | "memberId">,
): Promise<void> {
  return connection.request(LEAVE_GROUP, (to) => {
    to.string(group);
    to.structs([memberId], (id) => to.string(id).string(null).string(null));
    to.noTags();
  }, (from) => {
    const refusals = new Refusals();
    from.skip(4);
    refusals.note(from.int16(), group);
    from.structs(() => {
      const id = from.string();
      from.nullableString();
      refusals.note(from.int16(), id);
    });
    from.tags();
    return refusals.over(LEAVE_GROUP, undefined);
  });
}

/** Names of the groups that a broker coordinates. */
export function listGroups(connection: Connection): Promise<string[]> {
  return connection.request(LIST_GROUPS, (to) => {
    to.count(0).noTags(); // in whatever state
  }, (from) => {
    const refusals = new Refusals();
    from.skip(4);
    refusals.note(from.int16());
    const groups = from.structs(() => {
      const group = from.string();
      from.string(); // kind of protocol
      from.string(); // state
      return group;
    });
    from.tags();
    return refusals.over(LIST_GROUPS, groups);
  });
}

/** A group and who is in it. */
export interface GroupDescription {
  readonly protocolType: string;
  readonly members: readonly { readonly memberId: string; readonly assignment: Uint8Array }[];
}

/** Describes a group; one that is not there has no members. */
export function describeGroup(connection: Connection, group: string): Promise<GroupDescription> {
  return connection.request(DESCRIBE_GROUPS, (to) => {
    to.list([group], (name) => to.string(name)).boolean(false).noTags();
  }, (from) => {
    const refusals = new Refusals();
    from.skip(4);
    const [described] = from.structs(() => {
      refusals.note(from.int16(), group);
      from.string();
      from.string(); // state
      const protocolType = from.string();
      from.string(); // protocol
      const members = from.structs(() => {
        const memberId = from.string();
        from.nullableString();
        from.string(); // client
        from.string(); // its host
        from.bytes(); // what it said of itself
        return { memberId, assignment: from.bytes() };
      });
      from.int32(); // permissions
      return { protocolType, members };
    });
    from.tags();
    return refusals.over(DESCRIBE_GROUPS, described!);
  });
}

/** An offset of a partition, for the group to keep. */
export interface OffsetToCommit {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  /** Leader epoch of the record before `offset`; −1 when unknown. */
  readonly leaderEpoch: number;
  readonly metadata: string;
}

/** Commits offsets by a member's word. */
export function commitOffsets(
  connection: Connection,
  member: GroupMembership,
  offsets: readonly OffsetToCommit[],
): Promise<void> {
  return connection.request(OFFSET_COMMIT, (to) => {
    to.string(member.group).int32(member.generation).string(member.memberId).string(null);
    to.structs([...Map.groupBy(offsets, ({ topic }) => topic)], ([topic, of]) => {
      to.string(topic).structs(of, ({ partition, offset, leaderEpoch, metadata }) => {
        to.int32(partition).int64(offset).int32(leaderEpoch).string(metadata);
      });
    });
    to.noTags();
  }, (from) => {
    const refusals = new Refusals();
    from.skip(4);
    from.structs(() => {
      const topic = from.string();
      from.structs(() => {
        const partition = from.int32();
        refusals.note(from.int16(), `${topic}/${partition}`);
      });
    });
    from.tags();
    return refusals.over(OFFSET_COMMIT, undefined);
  });
}

/** An offset that a group has committed. */
export interface CommittedOffset extends Omit<OffsetToCommit, "metadata"> {
  readonly metadata: string | null;
}

/**
 * The offsets of a group; −1 where there is none.
 *
 * @param place one partition, or all that the group has offsets of.
 * @param stable fails, to be asked again, while a transaction has such an offset open.
 */
export function fetchOffsets(
  connection: Connection,
  group: string,
  place: { readonly topic: string; readonly partition: number } | undefined,
  stable: boolean,
): Promise<CommittedOffset[]> {
  return connection.request(OFFSET_FETCH, (to) => {
    to.structs([group], () => {
      to.string(group);
      to.structs(place === undefined ? null : [place], ({ topic, partition }) => {
        to.string(topic).list([partition], (one) => to.int32(one));
      });
    });
    to.boolean(stable).noTags();
  }, (from) => {
    const refusals = new Refusals();
    const found: CommittedOffset[] = [];
    from.skip(4);
    from.structs(() => {
      from.string();
      from.structs(() => {
        const topic = from.string();
        from.structs(() => {
          const partition = from.int32();
          const offset = from.int64();
          const leaderEpoch = from.int32();
          const metadata = from.nullableString();
          refusals.note(from.int16(), `${topic}/${partition}`);
          found.push({ topic, partition, offset, leaderEpoch, metadata });
        });
      });
      refusals.note(from.int16(), group);
    });
    from.tags();
    return refusals.over(OFFSET_FETCH, found);
  });
}
