// The requests of a group member.
import { messageOf } from "../../../base/errors.ts";
import { systemClock } from "../../../base/clock.ts";
import { settled } from "../../../base/wait.ts";
import type { GroupOptions, Membership } from "../../log.ts";
import { brokerName } from "../net/address.ts";
import type { Cluster } from "../net/cluster.ts";
import type { Api } from "../protocol/api.ts";
import { NetworkError, type ResponseError } from "../protocol/errors.ts";
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
/** While a join waits for other members, the coordinator is checked at this interval. */
const COORDINATOR_CHECK_MS = 2_000;
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

  /**
   * Sends a request that waits for other members. Since a silent coordinator looks the same, the cluster is
   * asked regularly which broker is the coordinator.
   */
  async #callPatiently<Request, Response>(
    api: Api<Request, Response>,
    body: Request,
    signal: AbortSignal,
  ): Promise<Response> {
    const { group } = this.#place;
    const end = new AbortController();
    const both = AbortSignal.any([signal, end.signal]);
    const connection = await this.#cluster.toCoordinator("group", group, this.#channel, both);
    const before = await this.#cluster.findCoordinator("group", group, both);
    const watch = async (): Promise<never> => {
      for (;;) {
        await systemClock.sleep(COORDINATOR_CHECK_MS, both);
        // If it is unknown now, the next check tries again.
        const now = await this.#cluster.findCoordinator("group", group, both)
          .catch(() => undefined);
        if (now === undefined || brokerName(now) === brokerName(before)) continue;
        await this.#cluster.connections.drop(this.#channel);
        throw new NetworkError(`the group moved to the coordinator ${brokerName(now)}`);
      }
    };
    const moved = watch();
    moved.catch(() => {});
    try {
      const options = { signal: both, extraMs: this.#rebalanceTimeoutMs };
      const called = connection.call(api, body, options);
      return await settled(Promise.race([called, moved]), signal);
    } finally {
      end.abort(new NetworkError("the request is over"));
    }
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
    const response = await this.#callPatiently(JOIN_GROUP, {
      ...{ group, memberId, sessionTimeoutMs, rebalanceTimeoutMs },
      instanceId: null,
      protocolType: PROTOCOL_TYPE,
      protocols: [{ name: PROTOCOL, metadata }],
    }, signal);
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
    const { assignment } = await this.#callPatiently(SYNC_GROUP, {
      ...{ group, memberId, generation, assignments },
      instanceId: null,
      protocolType: PROTOCOL_TYPE,
      protocolName: PROTOCOL,
    }, signal);
    try {
      return (decodeAssignment(assignment).get(topic) ?? []).toSorted((a, b) => a - b);
    } catch (error) {
      throw new Error(`the group leader's assignment is malformed: ${messageOf(error)}`);
    }
  }

  async heartbeat(memberId: string, generation: number, signal: AbortSignal): Promise<void> {
    const { group } = this.#place;
    const body = { group, memberId, generation, instanceId: null };
    await this.#cluster.callGroup(group, HEARTBEAT, body, signal, this.#channel);
  }

  /** Uses another channel, since a join may be in flight. */
  async leave(memberId: string, signal: AbortSignal): Promise<void> {
    const { group } = this.#place;
    const body = { group, memberId, members: [{ memberId, instanceId: null }] };
    await this.#cluster.callGroup(group, LEAVE_GROUP, body, signal);
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
