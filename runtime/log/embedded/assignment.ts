// Which member of a group is to own which partition.

/**
 * Distributes `partitions` partitions evenly among `members`: counts differ by at most one. Deterministic, so
 * that all processes agree. As many partitions as possible stay with their owners.
 *
 * @param members in joining order
 * @param before the previous owner of each partition; owners that are not members are ignored
 * @returns the owner of each partition; empty if there are no members
 */
export function assignPartitions(
  partitions: number,
  members: readonly string[],
  before: readonly (string | null)[],
): string[] {
  if (members.length === 0) return [];
  const held = new Map(members.map((member) => [member, 0]));
  for (let partition = 0; partition < partitions; partition++) {
    const owner = before[partition] ?? null;
    if (owner !== null && held.has(owner)) held.set(owner, held.get(owner)! + 1);
  }
  // Those with most keep the larger shares: that moves least.
  const order = members.toSorted((a, b) => held.get(b)! - held.get(a)!);
  const least = Math.floor(partitions / members.length);
  const larger = partitions % members.length;
  const room = new Map(order.map((member, i) => [member, least + (i < larger ? 1 : 0)]));
  const take = (member: string): boolean => {
    const left = room.get(member) ?? 0;
    if (left > 0) room.set(member, left - 1);
    return left > 0;
  };
  const owners = Array.from({ length: partitions }, (_, partition) => {
    const owner = before[partition] ?? null;
    return owner !== null && take(owner) ? owner : null;
  });
  return owners.map((owner) => owner ?? order.find(take)!);
}
