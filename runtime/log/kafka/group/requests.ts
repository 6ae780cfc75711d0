// The requests of a group member.
import { messageOf } from "../../../base/errors.ts";
import type { GroupOptions, Membership } from "../../log.ts";
import type { Cluster } from "../net/cluster.ts";
import type { ResponseError } from "../protocol/errors.ts";
import { HEARTBEAT, JOIN_GROUP, LEAVE_GROUP, SYNC_GROUP } from "../protocol/groups.ts";
import { assign, type MemberClaim } from "./assignor.ts";
import {
  decodeAssignment,
  decodeSubscription,
  encodeAssignment,
  encodeSubscription,
} from "./consumer_protocol.ts";

const PROTOCOL_TYPE = "consumer";
/** Kafka rejects consumers with other assignors. */
const PROTOCOL = "framelane";
/** How long the group waits for a member that is releasing its partitions. */
const REBALANCE_MS = 30_000;

export interface Joined extends Membership {
  /** Present if this member leads the group. */
  readonly claims?: readonly MemberClaim[];
}

type Place = Required<Pick<GroupOptions, "group" | "topic" | "sessionTimeoutMs">>;

export class GroupRequests {
  readonly #cluster: Cluster;
  readonly #place: Place;
  readonly #rebalanceTimeoutMs: number;
  readonly #channel: string;

  constructor(cluster: Cluster, place: Place, channel: string) {
    this.#cluster = cluster;
    this.#place = place;
    this.#rebalanceTimeoutMs = Math.max(place.sessionTimeoutMs, REBALANCE_MS);
    this.#channel = channel;
  }

  /** Resolves when all members have joined, or have timed out. */
  async join(
    { memberId, generation }: Membership,
    owned: readonly number[],
    signal: AbortSignal,
  ): Promise<Joined> {
    const { group, topic, sessionTimeoutMs } = this.#place;
    const rebalanceTimeoutMs = this.#rebalanceTimeoutMs;
    const metadata = encodeSubscription({
      topics: [topic],
      owned: new Map([[topic, owned]]),
      generation,
    });
    const body = {
      ...{ group, memberId, sessionTimeoutMs, rebalanceTimeoutMs },
      instanceId: null,
      protocolType: PROTOCOL_TYPE,
      protocols: [{ name: PROTOCOL, metadata }],
    };
    const patient = { signal, extraMs: rebalanceTimeoutMs };
    const call = this.#cluster.callGroup(group, JOIN_GROUP, body, patient, this.#channel);
    const response = await call;
    const leads = response.leader === response.memberId;
    return {
      memberId: response.memberId,
      generation: response.generation,
      ...(leads ? { claims: response.members.map(claimOf) } : {}),
    };
  }

  /**
   * @param counts number of partitions of each topic, if this member leads the group
   * @returns this member's partitions
   */
  async sync(
    { memberId, generation, claims = [] }: Joined,
    counts: ReadonlyMap<string, number> | undefined,
    signal: AbortSignal,
  ): Promise<number[]> {
    const { group, topic } = this.#place;
    const shares = counts === undefined ? [] : [...assign(claims, counts)];
    const assignments = shares.map(([memberId, share]) => ({
      memberId,
      assignment: encodeAssignment(share),
    }));
    const body = {
      ...{ group, memberId, generation, assignments },
      instanceId: null,
      protocolType: PROTOCOL_TYPE,
      protocolName: PROTOCOL,
    };
    const patient = { signal, extraMs: this.#rebalanceTimeoutMs };
    const call = this.#cluster.callGroup(group, SYNC_GROUP, body, patient, this.#channel);
    const { assignment } = await call;
    try {
      return (decodeAssignment(assignment).get(topic) ?? []).toSorted((a, b) => a - b);
    } catch (error) {
      throw new Error(`the group leader's assignment is malformed: ${messageOf(error)}`);
    }
  }

  async heartbeat(memberId: string, generation: number, signal: AbortSignal): Promise<void> {
    const { group } = this.#place;
    const body = { group, memberId, generation, instanceId: null };
    await this.#cluster.callGroup(group, HEARTBEAT, body, { signal }, this.#channel);
  }

  /** Uses another channel, since a join may be in flight. */
  async leave(memberId: string, signal: AbortSignal): Promise<void> {
    const { group } = this.#place;
    const body = { group, memberId, members: [{ memberId, instanceId: null }] };
    await this.#cluster.callGroup(group, LEAVE_GROUP, body, { signal });
  }
}

function claimOf(
  { memberId, metadata }: { readonly memberId: string; readonly metadata: Uint8Array },
): MemberClaim {
  try {
    return { memberId, ...decodeSubscription(metadata) };
  } catch {
    // A member with an invalid subscription gets no partitions.
    return { memberId, topics: [], owned: new Map(), generation: -1 };
  }
}

/** The member id in a MEMBER_ID_REQUIRED response. */
export function memberIdIn(error: unknown): string {
  const { memberId } = (error as ResponseError).response as { readonly memberId: string };
  return memberId;
}
