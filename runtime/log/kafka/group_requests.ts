/**
 * The requests of a group's member, and what is inside of them: the encoding is that of Kafka's own
 * consumers, so that Kafka's tools show who has which partitions.
 *
 * @module
 */
import { assign, type MemberClaim } from "./assignor.ts";
import type { Cluster } from "./cluster.ts";
import { protocolErrors } from "./failures.ts";
import {
  decodeAssignment,
  decodeSubscription,
  encodeAssignment,
  encodeSubscription,
} from "./requests/consumer_protocol.ts";
import { heartbeat, joinGroup, leaveGroup, syncGroup } from "./requests/groups.ts";

const PROTOCOL_TYPE = "consumer";
/** A name of its own: a consumer that shares partitions in another way is refused by Kafka. */
const PROTOCOL = "framelane";

/** What a member says of itself when it joins. */
export interface JoinRequest {
  readonly group: string;
  readonly topic: string;
  readonly memberId: string;
  readonly generation: number;
  readonly owned: readonly number[];
  readonly sessionTimeoutMs: number;
  /** How long the others wait for one that is letting go of its partitions. */
  readonly rebalanceTimeoutMs: number;
}

/** A generation of the group, joined. */
export interface Joined {
  readonly memberId: string;
  readonly generation: number;
  /** Present when this member has to share out the partitions. */
  readonly claims?: readonly MemberClaim[];
}

/** Sends what is needed over the connections of a lane. */
export class GroupRequests {
  readonly #cluster: Cluster;
  readonly #group: string;
  readonly #lane: string;
  readonly #extraMs: number;

  constructor(cluster: Cluster, group: string, lane: string, extraMs: number) {
    this.#cluster = cluster;
    this.#group = group;
    this.#lane = lane;
    this.#extraMs = extraMs;
  }

  async #coordinator(lane = this.#lane) {
    const broker = await this.#cluster.coordinator("group", this.#group);
    return await this.#cluster.connections.get(broker, lane, this.#extraMs);
  }

  /** Joins; returns when all members have, or have run out of time. */
  async join(request: JoinRequest): Promise<Joined> {
    const { group, topic, memberId, generation, owned } = request;
    const answer = await joinGroup(await this.#coordinator(), {
      group,
      memberId,
      sessionTimeoutMs: request.sessionTimeoutMs,
      rebalanceTimeoutMs: request.rebalanceTimeoutMs,
      protocolType: PROTOCOL_TYPE,
      protocol: PROTOCOL,
      metadata: encodeSubscription({
        topics: [topic],
        owned: new Map([[topic, owned]]),
        generation,
      }),
    });
    const leads = answer.leader === answer.memberId && !answer.skipAssignment;
    return {
      memberId: answer.memberId,
      generation: answer.generation,
      ...(leads ? { claims: answer.members.map(claimOf) } : {}),
    };
  }

  /** Gives its share to every member. */
  async lead(
    joined: Joined,
    counts: ReadonlyMap<string, number>,
    topic: string,
  ): Promise<number[]> {
    const shares = assign(joined.claims!, counts);
    const assignments = [...shares].map(([memberId, share]) => ({
      memberId,
      assignment: encodeAssignment(share),
    }));
    return await this.#sync(joined, assignments, topic);
  }

  /** Takes the share that the group's leader gives. */
  follow(joined: Joined, topic: string): Promise<number[]> {
    return this.#sync(joined, [], topic);
  }

  async #sync(
    { memberId, generation }: Joined,
    assignments: readonly { readonly memberId: string; readonly assignment: Uint8Array }[],
    topic: string,
  ): Promise<number[]> {
    const share = await syncGroup(
      await this.#coordinator(),
      { group: this.#group, memberId, generation },
      PROTOCOL_TYPE,
      PROTOCOL,
      assignments,
    );
    return (decodeAssignment(share).get(topic) ?? []).toSorted((a, b) => a - b);
  }

  /** Says that the member is alive. */
  async heartbeat(memberId: string, generation: number): Promise<void> {
    await heartbeat(await this.#coordinator(), { group: this.#group, memberId, generation });
  }

  /** Leaves, over another lane: a join may be waiting on the usual one. */
  async leave(memberId: string): Promise<void> {
    await leaveGroup(await this.#coordinator("main"), { group: this.#group, memberId });
  }
}

function claimOf(
  { memberId, metadata }: { readonly memberId: string; readonly metadata: Uint8Array },
): MemberClaim {
  return { memberId, ...decodeSubscription(metadata) };
}

/** What the group's coordinator answered, as far as a member acts on it. */
export type GroupAnswer = "member-id-required" | "rebalance" | "stale" | "expelled" | undefined;

/** Reads it out of an error. */
export function groupAnswer(error: unknown): GroupAnswer {
  const names = protocolErrors(error);
  if (names.includes("MEMBER_ID_REQUIRED")) return "member-id-required";
  if (names.includes("UNKNOWN_MEMBER_ID") || names.includes("FENCED_INSTANCE_ID")) {
    return "expelled";
  }
  if (names.includes("ILLEGAL_GENERATION")) return "stale";
  if (names.includes("REBALANCE_IN_PROGRESS")) return "rebalance";
  return undefined;
}
