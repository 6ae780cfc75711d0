/**
 * The requests of a group's member, and what is inside of them: the encoding is that of Kafka's own
 * consumers, so that Kafka's tools show who has which partitions.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import {
  decodeConsumerProtocolAssignment,
  decodeConsumerProtocolSubscription,
  encodeConsumerProtocolAssignment,
  encodeConsumerProtocolSubscription,
} from "./client.ts";
import { assign, type MemberClaim } from "./assignor.ts";
import type { Cluster } from "./cluster.ts";
import { protocolErrors } from "./failures.ts";
import { ask, type JoinGroupResponse } from "./protocol.ts";

const PROTOCOL_TYPE = "consumer";
/** A name of its own: a consumer that shares partitions in another way is refused by Kafka. */
const PROTOCOL = "framelane";
const SUBSCRIPTION_VERSION = 2;
const ASSIGNMENT_VERSION = 0;

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
    const metadata = encodeConsumerProtocolSubscription({
      version: SUBSCRIPTION_VERSION,
      topics: [topic],
      userData: Buffer.alloc(0),
      ownedPartitions: [{ topic, partitions: [...owned] }],
      generationId: generation,
      rackId: null,
    });
    const answer: JoinGroupResponse = await ask.joinGroup(
      await this.#coordinator(),
      group,
      request.sessionTimeoutMs,
      request.rebalanceTimeoutMs,
      memberId,
      null,
      PROTOCOL_TYPE,
      [{ name: PROTOCOL, metadata }],
      null,
    );
    const leads = answer.leader === answer.memberId && !answer.skipAssignment;
    return {
      memberId: answer.memberId,
      generation: answer.generationId,
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
      assignment: encodeConsumerProtocolAssignment({
        version: ASSIGNMENT_VERSION,
        assignedPartitions: [...share].map(([name, partitions]) => ({
          topic: name,
          partitions: [...partitions],
        })),
      }),
    }));
    return await this.#sync(joined, assignments, topic);
  }

  /** Takes the share that the group's leader gives. */
  follow(joined: Joined, topic: string): Promise<number[]> {
    return this.#sync(joined, [], topic);
  }

  async #sync(
    { memberId, generation }: Joined,
    assignments: { memberId: string; assignment: Buffer }[],
    topic: string,
  ): Promise<number[]> {
    const { assignment } = await ask.syncGroup(
      await this.#coordinator(),
      this.#group,
      generation,
      memberId,
      null,
      PROTOCOL_TYPE,
      PROTOCOL,
      assignments,
    );
    const { assignedPartitions } = decodeConsumerProtocolAssignment(assignment);
    return assignedPartitions
      .filter((one) => one.topic === topic)
      .flatMap(({ partitions }) => partitions)
      .sort((a, b) => a - b);
  }

  /** Says that the member is alive. */
  async heartbeat(memberId: string, generation: number): Promise<void> {
    await ask.heartbeat(await this.#coordinator(), this.#group, generation, memberId, null);
  }

  /** Leaves, over another lane: a join may be waiting on the usual one. */
  async leave(memberId: string): Promise<void> {
    await ask.leaveGroup(await this.#coordinator("main"), this.#group, [
      { memberId, groupInstanceId: null, reason: null },
    ]);
  }
}

function claimOf({ memberId, metadata }: { memberId: string; metadata: Buffer }): MemberClaim {
  const { topics, ownedPartitions, generationId } = decodeConsumerProtocolSubscription(metadata);
  return {
    memberId,
    topics,
    owned: new Map((ownedPartitions ?? []).map(({ topic, partitions }) => [topic, partitions])),
    generation: generationId ?? -1,
  };
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
