import assert from "node:assert/strict";
import fc from "fast-check";
import { assign, type MemberClaim } from "../../../../../runtime/log/kafka/group/assignor.ts";

const topic = "frames";

/** A group in motion: who holds what, in which generation. */
class Group {
  readonly members = new Map<string, number[]>();
  generation = 0;
  moves = 0;
  #names = 0;

  join(): void {
    this.members.set(`member-${this.#names++}`, []);
  }

  leave(which: number): void {
    const name = [...this.members.keys()][which % this.members.size]!;
    this.members.delete(name);
  }

  /** Rebalances until no member has to let go of anything; returns how many rounds that took. */
  settle(count: number): number {
    for (let round = 1;; round++) {
      this.generation++;
      const claims: MemberClaim[] = [...this.members].map(([memberId, owned]) => ({
        memberId,
        topics: [topic],
        owned: new Map([[topic, owned]]),
        generation: this.generation - 1,
      }));
      const shares = assign(claims, new Map([[topic, count]]));
      let lost = false;
      for (const [name, before] of [...this.members]) {
        const share = [...shares.get(name)!.get(topic)!];
        for (const partition of share) {
          const holder = claims.find((claim) =>
            claim.memberId !== name && claim.owned.get(topic)!.includes(partition)
          );
          assert.equal(holder, undefined, `${name} got ${partition} of ${holder?.memberId}`);
        }
        const gone = before.filter((partition) => !share.includes(partition));
        if (gone.length > 0) lost = true;
        this.moves += gone.length;
        this.members.set(name, share);
      }
      if (!lost) return round;
      assert.ok(round < 4, "A group settles in a few rounds");
    }
  }
}

Deno.test("partitions are shared evenly, once each, and stay where they can", () => {
  const steps = fc.array(
    fc.oneof(
      fc.constant({ kind: "join" as const }),
      fc.record({ kind: fc.constant("leave" as const), which: fc.nat(9) }),
      fc.record({ kind: fc.constant("grow" as const), by: fc.integer({ min: 1, max: 5 }) }),
    ),
    { maxLength: 12 },
  );
  fc.assert(fc.property(fc.integer({ min: 0, max: 20 }), steps, (start, actions) => {
    const group = new Group();
    group.join();
    let count = start;
    group.settle(count);
    for (const action of actions) {
      group.moves = 0;
      const before = group.members.size;
      if (action.kind === "join") group.join();
      else if (action.kind === "grow") count += action.by;
      else if (group.members.size > 1) group.leave(action.which);
      group.settle(count);
      const shares = [...group.members.values()];
      assert.deepEqual(
        shares.flat().sort((a, b) => a - b),
        Array.from({ length: count }, (_, partition) => partition),
      );
      const sizes = shares.map((share) => share.length);
      assert.ok(Math.max(...sizes) - Math.min(...sizes) <= 1, `Uneven: ${sizes}`);
      // A newcomer takes its share and no more; a member that leaves or grows moves nothing else.
      const allowed = action.kind === "join" ? Math.floor(count / (before + 1)) : 0;
      assert.ok(group.moves <= allowed, `${group.moves} moved, ${allowed} had to`);
    }
  }));
});

Deno.test("of two who claim a partition the later one holds it", () => {
  const claim = (memberId: string, generation: number): MemberClaim => ({
    memberId,
    topics: [topic],
    owned: new Map([[topic, [0]]]),
    generation,
  });
  const shares = assign([claim("a", 3), claim("b", 5)], new Map([[topic, 2]]));
  assert.deepEqual(shares.get("b")!.get(topic), [0]);
  assert.deepEqual(shares.get("a")!.get(topic), [1]);
});

Deno.test("members of another topic get nothing of this one", () => {
  const members = ["a", "b"].map((memberId) => ({
    memberId,
    topics: [memberId === "a" ? topic : "other"],
    owned: new Map<string, number[]>(),
    generation: -1,
  }));
  const shares = assign(members, new Map([[topic, 3], ["other", 1]]));
  assert.deepEqual([...shares.get("a")!], [[topic, [0, 1, 2]]]);
  assert.deepEqual([...shares.get("b")!], [["other", [0]]]);
});
