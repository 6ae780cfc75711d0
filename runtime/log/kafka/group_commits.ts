/**
 * Offsets of a group that are committed by its member alone, without a transaction: what many lanes of
 * an executor commit at about the same time goes in one request.
 *
 * The group's coordinator refuses a member that was left behind by a rebalance, as it does with a
 * transaction's offsets. It cannot tell two lanes of one member apart: of those the driver lets one
 * at a time commit.
 *
 * @module
 */
import { LogError } from "../log.ts";
import type { Cluster } from "./cluster.ts";
import { commitOffsets, type GroupMembership, type OffsetToCommit } from "./requests/groups.ts";

/** What comes so soon after another goes with it, milliseconds. */
const GATHER_MS = 5;
const LANE = "commit";

/** An offset on its way, and who waits for it. */
interface Waiting {
  readonly commit: OffsetToCommit;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** Commits of one member in one generation of its group. */
interface Gathering {
  readonly member: GroupMembership;
  readonly waiting: Waiting[];
}

/** The commits of all groups of a log. */
export class GroupCommits {
  readonly #cluster: Cluster;
  readonly #gathering = new Map<string, Gathering>();

  constructor(cluster: Cluster) {
    this.#cluster = cluster;
  }

  /**
   * Commits an offset.
   *
   * @throws {LogError} `STALE_MEMBERSHIP` when the group has gone on to another generation, `FENCED` when
   * it does not know the member.
   */
  commit(member: GroupMembership, commit: OffsetToCommit): Promise<void> {
    const key = JSON.stringify([member.group, member.memberId, member.generation]);
    let gathering = this.#gathering.get(key);
    if (gathering === undefined) {
      gathering = { member, waiting: [] };
      this.#gathering.set(key, gathering);
      setTimeout(() => {
        const { waiting } = this.#gathering.get(key)!;
        this.#gathering.delete(key);
        void this.#send(member, waiting);
      }, GATHER_MS);
    }
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    gathering.waiting.push({ commit, resolve, reject });
    return promise;
  }

  async #send(member: GroupMembership, waiting: readonly Waiting[]): Promise<void> {
    const action = `Cannot commit offsets of group ${member.group}`;
    try {
      await this.#cluster.attempt(action, async () => {
        const broker = await this.#cluster.coordinator("group", member.group);
        const connection = await this.#cluster.connections.get(broker, LANE);
        await commitOffsets(connection, member, waiting.map(({ commit }) => commit));
      });
      for (const { resolve } of waiting) resolve();
    } catch (error) {
      if (waiting.length > 1 && error instanceof LogError && !error.retryable) {
        // One of them is to blame: each hears what it is told alone.
        for (const one of waiting) await this.#send(member, [one]);
        return;
      }
      for (const { reject } of waiting) reject(error);
    }
  }
}
