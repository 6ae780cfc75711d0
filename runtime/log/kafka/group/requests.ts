// The requests of a group's member, and what is inside of them: the encoding is that of Kafka's own
// consumers, so that Kafka's tools show who has which partitions.
import { systemClock } from "../../../base/clock.ts";
import { settled } from "../../../base/wait.ts";
import { type GroupOptions, SESSION_TIMEOUT_MS } from "../../log.ts";
import { type Broker, brokerName } from "../net/address.ts";
import type { Cluster } from "../net/cluster.ts";
import type { Connection } from "../net/connection.ts";
import { outcomeOf } from "../net/failures.ts";
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
/** A name of its own: a consumer that shares partitions in another way is refused by Kafka. */
const PROTOCOL = "framelane";

/** A join may wait for other members: meanwhile it is checked whether the group has still this coordinator. */
const COORDINATOR_CHECK_MS = 2_000;

/** How long the others wait for a member that is letting go of its partitions. */
const REBALANCE_MS = 30_000;

/** A member in a generation of the group. */
interface Member {
  readonly memberId: string;
  readonly generation: number;
}

/** A generation of the group, joined. */
export interface Joined extends Member {
  /** Present when this member has to share out the partitions. */
  readonly claims?: readonly MemberClaim[];
}

/** Sends what is needed over the connections of a channel. */
export class GroupRequests {
  readonly #cluster: Cluster;
  readonly #place: Required<Pick<GroupOptions, "group" | "topic" | "sessionTimeoutMs">>;
  readonly #rebalanceTimeoutMs: number;
  readonly #channel: string;

  constructor(
    cluster: Cluster,
    { group, topic, sessionTimeoutMs = SESSION_TIMEOUT_MS }: GroupOptions,
    channel: string,
  ) {
    this.#cluster = cluster;
    this.#place = { group, topic, sessionTimeoutMs };
    this.#rebalanceTimeoutMs = Math.max(sessionTimeoutMs, REBALANCE_MS);
    this.#channel = channel;
  }

  #coordinator(signal: AbortSignal, channel = this.#channel): Promise<Connection> {
    return this.#cluster.toCoordinator("group", this.#place.group, channel, signal);
  }

  /**
   * Makes a request that waits for other members. A coordinator that hangs looks the same as members that take their
   * time, so the cluster is asked now and then who coordinates the group.
   */
  async #patiently<T>(
    signal: AbortSignal,
    request: (connection: Connection, signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    const end = new AbortController();
    const both = AbortSignal.any([signal, end.signal]);
    const connection = await this.#coordinator(both);
    const before = await this.#cluster.findCoordinator("group", this.#place.group, both);
    const watch = async (): Promise<never> => {
      for (;;) {
        await systemClock.sleep(COORDINATOR_CHECK_MS, both);
        const now = await this.#coordinatorNow(both);
        if (now === undefined || brokerName(now) === brokerName(before)) continue;
        await this.#cluster.connections.drop(this.#channel);
        throw new NetworkError(`the group moved to the coordinator ${brokerName(now)}`);
      }
    };
    const moved = watch();
    moved.catch(() => {});
    try {
      return await settled(Promise.race([request(connection, both), moved]), signal);
    } finally {
      end.abort(new NetworkError("the request is over"));
    }
  }

  async #coordinatorNow(signal: AbortSignal): Promise<Broker | undefined> {
    try {
      return await this.#cluster.findCoordinator("group", this.#place.group, signal);
    } catch {
      return undefined; // Not known right now: asked again at the next check, or when the request fails.
    }
  }

  /** Joins; returns when all members have, or have run out of time. */
  async join(
    { memberId, generation }: Member,
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
    const response = await this.#patiently(
      signal,
      (connection, signal) =>
        connection.call(JOIN_GROUP, {
          ...{ group, memberId, sessionTimeoutMs, rebalanceTimeoutMs },
          instanceId: null,
          protocolType: PROTOCOL_TYPE,
          protocols: [{ name: PROTOCOL, metadata }],
        }, { signal, extraMs: rebalanceTimeoutMs }),
    );
    const leads = response.leader === response.memberId;
    return {
      memberId: response.memberId,
      generation: response.generation,
      ...(leads ? { claims: response.members.map(claimOf) } : {}),
    };
  }

  /**
   * Takes this member's partitions.
   *
   * @param counts of the member that leads the group: number of partitions of each topic, which it shares out.
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
    const { assignment } = await this.#patiently(
      signal,
      (connection, signal) =>
        connection.call(SYNC_GROUP, {
          ...{ group, memberId, generation, assignments },
          instanceId: null,
          protocolType: PROTOCOL_TYPE,
          protocolName: PROTOCOL,
        }, { signal, extraMs: this.#rebalanceTimeoutMs }),
    );
    try {
      return (decodeAssignment(assignment).get(topic) ?? []).toSorted((a, b) => a - b);
    } catch (error) {
      throw new Error(`what its leader assigned cannot be read: ${(error as Error).message}`);
    }
  }

  /** Tells that the member is alive. */
  async heartbeat(memberId: string, generation: number, signal: AbortSignal): Promise<void> {
    const connection = await this.#coordinator(signal);
    const body = { group: this.#place.group, memberId, generation, instanceId: null };
    await connection.call(HEARTBEAT, body, { signal });
  }

  /** Leaves, over another channel: a join may be waiting on the usual one. */
  async leave(memberId: string, signal: AbortSignal): Promise<void> {
    const connection = await this.#coordinator(signal, "main");
    await connection.call(LEAVE_GROUP, {
      group: this.#place.group,
      memberId,
      members: [{ memberId, instanceId: null }],
    }, { signal });
  }
}

function claimOf(
  { memberId, metadata }: { readonly memberId: string; readonly metadata: Uint8Array },
): MemberClaim {
  try {
    return { memberId, ...decodeSubscription(metadata) };
  } catch {
    // It gets nothing, and the others continue.
    return { memberId, topics: [], owned: new Map(), generation: -1 };
  }
}

/** What a member does about an error of its group. */
export type GroupStep = "join-with-id" | "rejoin" | "join-as-new" | undefined;

/** Undefined for errors that have nothing to do with membership. */
export function groupStepOf(error: unknown): GroupStep {
  const outcome = outcomeOf(error);
  return outcome === "join-with-id" || outcome === "rejoin" || outcome === "join-as-new"
    ? outcome
    : undefined;
}

/** The id that the coordinator gives to a newcomer. */
export function memberIdIn(error: unknown): string {
  const { memberId } = (error as ResponseError).response as { readonly memberId: string };
  return memberId;
}
