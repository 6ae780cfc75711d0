/**
 * Shares `partitions` partitions among `members` evenly: no two members' numbers differ by more than one. Every
 * process that calls this with the same arguments gets the same answer. As many partitions as possible stay with
 * the member that had them.
 *
 * @param members in the order in which they joined.
 * @param before the owner of each partition until now; owners that are not members do not count.
 * @returns the owner of each partition; empty when there is no member.
 */
export function assignPartitions(
  partitions: number,
  members: readonly string[],
  before: readonly (string | null | undefined)[],
): string[] {
  if (members.length === 0) return [];
  const held = new Map(members.map((member) => [member, 0]));
  for (const owner of before.slice(0, partitions)) {
    if (held.has(owner!)) held.set(owner!, held.get(owner!)! + 1);
  }
  // Those with most keep the larger shares: that moves least.
  const order = members.toSorted((a, b) => held.get(b)! - held.get(a)!);
  const least = Math.floor(partitions / members.length);
  const larger = partitions % members.length;
  const room = new Map(order.map((member, i) => [member, least + (i < larger ? 1 : 0)]));
  const take = (member: string) => {
    const left = room.get(member) ?? 0;
    if (left > 0) room.set(member, left - 1);
    return left > 0;
  };
  const kept = Array.from({ length: partitions }, (_, i) => take(before[i]!) ? before[i] : null);
  return kept.map((owner) => owner ?? order.find(take)!);
}
