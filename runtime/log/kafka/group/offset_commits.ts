// Offsets of a group that are committed by its member alone, without a transaction: what many lanes
// of an executor commit at about the same time goes in one request.
//
// The group's coordinator rejects a member that missed a rebalance, as it does with a transaction's
// offsets. It cannot tell two lanes of one member apart: of those the driver lets one at a time
// commit.
import { LogError } from "../../log.ts";
import type { Cluster } from "../net/cluster.ts";
import {
  byTopic,
  type GroupMembership,
  OFFSET_COMMIT,
  type OffsetToCommit,
} from "../protocol/groups.ts";

/** What comes within this time of another goes with it, milliseconds. */
const LINGER_MS = 5;

/** An offset on its way. */
interface Waiting {
  readonly commit: OffsetToCommit;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** Commits of one member in one generation of its group. */
interface Group {
  readonly member: GroupMembership;
  readonly waiting: Waiting[];
}

/** The commits of all groups of a log. */
export class OffsetCommits {
  readonly #cluster: Cluster;
  readonly #groups = new Map<string, Group>();

  constructor(cluster: Cluster) {
    this.#cluster = cluster;
  }

  /**
   * Commits an offset.
   *
   * @throws {LogError} `STALE_MEMBERSHIP` when the group has gone on to another generation, `FENCED` when
   * the coordinator does not know the member.
   */
  commit(member: GroupMembership, commit: OffsetToCommit): Promise<void> {
    const key = JSON.stringify([member.group, member.memberId, member.generation]);
    let group = this.#groups.get(key);
    if (group === undefined) {
      group = { member, waiting: [] };
      this.#groups.set(key, group);
      setTimeout(() => {
        const { waiting } = this.#groups.get(key)!;
        this.#groups.delete(key);
        void this.#send(member, waiting);
      }, LINGER_MS);
    }
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    group.waiting.push({ commit, resolve, reject });
    return promise;
  }

  async #send(member: GroupMembership, waiting: readonly Waiting[]): Promise<void> {
    const action = `Cannot commit offsets of group ${member.group}`;
    try {
      await this.#cluster.attempt(action, async (signal) => {
        const { group } = member;
        const connection = await this.#cluster.toCoordinator("group", group, "commit", signal);
        await connection.call(OFFSET_COMMIT, {
          ...member,
          instanceId: null,
          retentionTimeMs: -1,
          topics: byTopic(waiting.map(({ commit }) => commit)),
        }, { signal });
      });
      for (const { resolve } of waiting) resolve();
    } catch (error) {
      if (waiting.length > 1 && error instanceof LogError && !error.retryable) {
        // One of them is to blame: each is tried alone.
        for (const one of waiting) await this.#send(member, [one]);
        return;
      }
      for (const { reject } of waiting) reject(error);
    }
  }
}
