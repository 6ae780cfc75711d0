// Assigns partitions to the members of a group: evenly, and with as few moves as possible. A partition
// that moves is first unassigned; when its owner has released it and joined again, it is free.

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

function assignTopic(
  members: readonly MemberClaim[],
  topic: string,
  count: number,
): Map<string, number[]> {
  const holders = holdersOf(members, topic, count);
  const held = new Map<string, number[]>(members.map(({ memberId }) => [memberId, []]));
  for (const [partition, holder] of holders) held.get(holder)!.push(partition);
  // The remainder of the division goes to the members with the most partitions.
  const order = [...held.keys()].sort((a, b) =>
    held.get(b)!.length - held.get(a)!.length || (a < b ? -1 : 1)
  );
  const quotas = new Map(order.map((memberId, place) => [
    memberId,
    Math.floor(count / order.length) + (place < count % order.length ? 1 : 0),
  ]));
  const shares = new Map<string, number[]>();
  const kept = new Set<number>();
  for (const memberId of order) {
    const share = held.get(memberId)!.sort((a, b) => a - b).slice(0, quotas.get(memberId));
    shares.set(memberId, share);
    for (const partition of share) kept.add(partition);
  }
  const free = Array.from({ length: count }, (_, partition) => partition)
    .filter((partition) => !kept.has(partition));
  for (const memberId of order) {
    const share = shares.get(memberId)!;
    let taken = share.length;
    while (taken < quotas.get(memberId)! && free.length > 0) {
      const partition = free.shift()!;
      taken++;
      // A partition that still has an owner is assigned in the next generation.
      if (!holders.has(partition)) share.push(partition);
    }
  }
  return shares;
}

/** The owner of each partition; of two claims the one of the later generation. */
function holdersOf(
  members: readonly MemberClaim[],
  topic: string,
  count: number,
): Map<number, string> {
  const holders = new Map<number, string>();
  const since = new Map<number, number>();
  for (const { memberId, owned, generation } of members) {
    for (const partition of owned.get(topic) ?? []) {
      if (partition >= count || (since.get(partition) ?? -Infinity) >= generation) continue;
      holders.set(partition, memberId);
      since.set(partition, generation);
    }
  }
  return holders;
}
