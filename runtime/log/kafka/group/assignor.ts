// Assigns partitions to the members of a group: evenly, and with as few moves as possible. A partition
// that moves is first unassigned; when its owner has released it and joined again, it is free.
import { assignPartitions } from "../../assign_partitions.ts";
import type { PartitionsByTopic, Subscription } from "./consumer_protocol.ts";

/** A member's subscription, as the group leader sees it. */
export interface MemberClaim extends Subscription {
  readonly memberId: string;
}

/** @param counts number of partitions of each topic */
export function assign(
  members: readonly MemberClaim[],
  counts: ReadonlyMap<string, number>,
): ReadonlyMap<string, PartitionsByTopic> {
  const shares = new Map(
    members.map(({ memberId }) => [memberId, new Map<string, readonly number[]>()]),
  );
  for (const [topic, count] of counts) {
    const subscribed = members.filter(({ topics }) => topics.includes(topic));
    for (const [memberId, partitions] of assignTopic(subscribed, topic, count)) {
      shares.get(memberId)!.set(topic, partitions);
    }
  }
  return shares;
}

/** A partition that moves is in no share until its owner has released it. */
function assignTopic(
  members: readonly MemberClaim[],
  topic: string,
  count: number,
): Map<string, number[]> {
  const names = members.map(({ memberId }) => memberId).sort();
  const holders = holdersOf(members, topic, count);
  const shares = new Map<string, number[]>(names.map((name) => [name, []]));
  assignPartitions(count, names, holders).forEach((owner, partition) => {
    if ((holders[partition] ?? owner) === owner) shares.get(owner)!.push(partition);
  });
  return shares;
}

/** The owner of each partition; of two claims the one of the later generation. */
function holdersOf(members: readonly MemberClaim[], topic: string, count: number): string[] {
  const holders: string[] = [];
  const since: number[] = [];
  for (const { memberId, owned, generation } of members) {
    for (const partition of owned.get(topic) ?? []) {
      if (partition >= count || (since[partition] ?? -Infinity) >= generation) continue;
      holders[partition] = memberId;
      since[partition] = generation;
    }
  }
  return holders;
}
