// The partitions of a query here: shared with a group, or named in its options.
import type { Clock } from "../base/clock.ts";
import type { Assignment, GroupMember, Membership, TopicLog } from "../log/log.ts";
import { messageOf } from "../base/errors.ts";
import { retry } from "../base/wait.ts";

export interface PartitionOwnerOptions {
  readonly log: TopicLog;
  readonly topic: string;
  readonly group: string;
  readonly partitions: "all" | readonly number[];
  readonly sessionTimeoutMs?: number;
  readonly signal: AbortSignal;
  readonly clock: Clock;
  readonly report: (message: string) => void;
  readonly onAssigned: (partition: number, membership: Membership | undefined) => void;
  readonly onKept: (partition: number, membership: Membership | undefined) => void;
  readonly onRevoked: (partition: number) => Promise<void>;
  readonly onRebalance: () => void;
}

export class PartitionOwner {
  readonly #options: PartitionOwnerOptions;
  #member: GroupMember | undefined;
  #partitions = new Set<number>();

  constructor(options: PartitionOwnerOptions) {
    this.#options = options;
  }

  /** Resolves with the first assignment, or when the signal aborts. */
  async start(): Promise<void> {
    const { partitions, log, group, topic, sessionTimeoutMs, signal, clock, report } =
      this.#options;
    if (partitions !== "all") {
      for (const partition of partitions) this.#options.onAssigned(partition, undefined);
      return;
    }
    const first = Promise.withResolvers<void>();
    signal.addEventListener("abort", () => first.resolve(), { once: true });
    const join = async () => {
      const member = await log.joinGroup({
        group,
        topic,
        ...(sessionTimeoutMs !== undefined ? { sessionTimeoutMs } : {}),
        onAssignment: async (assignment) => {
          await this.#assign(assignment);
          first.resolve();
        },
        onError: (error) => report(`Group ${group}: ${error.message}`),
      });
      // After a stop meanwhile it must not keep partitions.
      if (signal.aborted) await member.leave();
      else this.#member = member;
    };
    await retry(join, {
      clock,
      signal,
      minDelayMs: 100,
      maxDelayMs: 5000,
      onRetry: (error) => report(`Group ${group}: ${messageOf(error)}`),
    });
    await first.promise;
  }

  async leave(): Promise<void> {
    await this.#member?.leave();
  }

  async #assign({ partitions, membership }: Assignment): Promise<void> {
    const { onAssigned, onKept, onRevoked, onRebalance, signal } = this.#options;
    if (signal.aborted) return;
    onRebalance();
    const now = new Set(partitions);
    const revoked = [...this.#partitions].filter((partition) => !now.has(partition));
    for (const partition of now) {
      if (this.#partitions.has(partition)) onKept(partition, membership);
      else onAssigned(partition, membership);
    }
    this.#partitions = now;
    await Promise.all(revoked.map((partition) => onRevoked(partition)));
  }
}
