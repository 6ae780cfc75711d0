// Commits offsets without a transaction: those that an executor's lanes commit at about the same time
// go in one request.
//
// The coordinator rejects members of an older generation, as in transactions. It cannot tell two lanes
// of one member apart, so the driver lets only one of them commit at a time.
import { LogError } from "../../log.ts";
import type { Cluster } from "../net/cluster.ts";
import {
  byTopic,
  type GroupMembership,
  OFFSET_COMMIT,
  type OffsetToCommit,
} from "../protocol/groups.ts";

/** How long a request waits for further offsets. */
const LINGER_MS = 5;

interface Waiting {
  readonly commit: OffsetToCommit;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** The offset commits of all groups of a log. */
export class OffsetCommits {
  readonly #cluster: Cluster;
  /** By group, member and generation. */
  readonly #waiting = new Map<string, Waiting[]>();

  constructor(cluster: Cluster) {
    this.#cluster = cluster;
  }

  /** @throws {LogError} `STALE_MEMBERSHIP` after a rebalance, `FENCED` if the coordinator does not know the member */
  commit(member: GroupMembership, commit: OffsetToCommit): Promise<void> {
    const key = JSON.stringify([member.group, member.memberId, member.generation]);
    let waiting = this.#waiting.get(key);
    if (waiting === undefined) {
      const batch: Waiting[] = waiting = [];
      this.#waiting.set(key, batch);
      setTimeout(() => {
        this.#waiting.delete(key);
        void this.#send(member, batch);
      }, LINGER_MS);
    }
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    waiting.push({ commit, resolve, reject });
    return promise;
  }

  async #send(member: GroupMembership, waiting: readonly Waiting[]): Promise<void> {
    const action = `Cannot commit offsets of group ${member.group}`;
    try {
      const body = {
        ...member,
        instanceId: null,
        retentionTimeMs: -1,
        topics: byTopic(waiting.map(({ commit }) => commit)),
      };
      await this.#cluster.attempt(
        action,
        (signal) =>
          this.#cluster.callGroup(member.group, OFFSET_COMMIT, body, { signal }, "commit"),
      );
      for (const { resolve } of waiting) resolve();
    } catch (error) {
      if (waiting.length > 1 && error instanceof LogError && !error.retryable) {
        // One of them may be the cause.
        for (const one of waiting) await this.#send(member, [one]);
        return;
      }
      for (const { reject } of waiting) reject(error);
    }
  }
}
