import assert from "node:assert/strict";
import fc from "fast-check";
import { systemClock } from "../../../runtime/base/clock.ts";
import { assignPartitions } from "../../../runtime/log/assign_partitions.ts";
import { EmbeddedLog } from "../../../runtime/log/embedded/log.ts";
import type { LogError } from "../../../runtime/log/log.ts";
import { eventually, join, rejectsWith, withCommitter } from "../../contracts/log_contract_kit.ts";
import { PATIENCE_MS } from "../../support/until.ts";

const names = fc.uniqueArray(fc.constantFrom("a", "b", "c", "d", "e", "f", "g"), { minLength: 1 });

const arbitraryGroup = fc.record({
  partitions: fc.nat(40),
  members: names,
  before: fc.array(fc.option(fc.constantFrom("a", "b", "c", "x", "y")), { maxLength: 45 }),
});

Deno.test("assignment: every partition has one live owner, shares differ by at most one", () => {
  fc.assert(fc.property(arbitraryGroup, ({ partitions, members, before }) => {
    const owners = assignPartitions(partitions, members, before);
    assert.equal(owners.length, partitions);
    const shares = members.map((member) => owners.filter((owner) => owner === member).length);
    assert.equal(shares.reduce((sum, share) => sum + share, 0), partitions);
    assert.ok(Math.max(...shares) - Math.min(...shares) <= 1, `${shares}`);
    assert.deepEqual(assignPartitions(partitions, members, before), owners, "Deterministic");
  }));
});

Deno.test("assignment: as few partitions as possible move", () => {
  fc.assert(fc.property(arbitraryGroup, ({ partitions, members, before }) => {
    const owners = assignPartitions(partitions, members, before);
    const kept = owners.filter((owner, partition) => owner === before[partition]).length;
    // Each member can keep at most its share; the larger shares go to whom they help most.
    const held = members.map((member) =>
      before.slice(0, partitions).filter((owner) => owner === member).length
    ).toSorted((a, b) => b - a);
    const least = Math.floor(partitions / members.length);
    const larger = partitions % members.length;
    const best = held.reduce((sum, n, i) => sum + Math.min(n, least + (i < larger ? 1 : 0)), 0);
    assert.equal(kept, best);
    assert.deepEqual(assignPartitions(partitions, members, owners), owners, "Stable");
  }));
});

Deno.test("assignment: no members, nothing assigned", () => {
  assert.deepEqual(assignPartitions(3, [], ["a", null, "b"]), []);
});

/** Runs a test with logs in a folder, which are closed and removed afterwards. */
async function withLogs(
  count: number,
  test: (...logs: EmbeddedLog[]) => Promise<void>,
): Promise<void> {
  const dir = await Deno.makeTempDir({ prefix: "framelane-group-" });
  const logs = Array.from({ length: count }, () => new EmbeddedLog(`embedded:${dir}`));
  try {
    await logs[0]!.createTopic("t", 4);
    await test(...logs);
  } finally {
    for (const log of logs) await log.close();
    await Deno.remove(dir, { recursive: true });
  }
}

const group = { group: "g", topic: "t" };

Deno.test("group: a member that never lets go is waited for no longer than its session", async () => {
  await withLogs(2, async (log, other) => {
    const { promise: stuck, resolve: free } = Promise.withResolvers<void>();
    let calls = 0;
    const a = await join(
      log!,
      { ...group, sessionTimeoutMs: 2_000 },
      () => ++calls > 1 ? stuck : Promise.resolve(),
    );
    await eventually("all partitions", () => a.held()?.length === 4);
    const b = await join(other!, group);
    await eventually("a share", () => b.held()?.length === 2);
    assert.equal(a.held()?.length, 4, "It has not even returned");
    free();
    await eventually("its share", () => a.held()?.length === 2);
  });
});

Deno.test("group: an error of onAssignment is reported and ends nothing", async () => {
  await withLogs(1, async (log) => {
    const errors: LogError[] = [];
    let calls = 0;
    const member = await log!.joinGroup({
      ...group,
      onAssignment: () => ++calls === 1 ? Promise.reject(new Error("Broken")) : Promise.resolve(),
      onError: (error) => errors.push(error),
    });
    await eventually("the error", () => errors.length === 1);
    assert.match(errors[0]!.message, /group g: Error: Broken/);
    await log!.createTopic("t", 6);
    await eventually("the next assignment", () => calls === 2);
    await member.leave();
  });
});

Deno.test("group: a member looks often while partitions move, and four times a second otherwise", async () => {
  const dir = await Deno.makeTempDir({ prefix: "framelane-group-" });
  const sleeps: number[] = [];
  const clock = {
    ...systemClock,
    sleep(ms: number, signal?: AbortSignal) {
      if (ms <= 250) sleeps.push(ms);
      return systemClock.sleep(ms, signal);
    },
  };
  const log = new EmbeddedLog(`embedded:${dir}`, { clock });
  try {
    await log.createTopic("t", 2);
    const one = await join(log, group);
    await eventually("a calm look", () => sleeps.at(-1) === 250);
    assert.equal(one.held()?.length, 2);
    sleeps.length = 0;
    const other = await join(log, group);
    await eventually("a share each", () => one.held()?.length === 1 && other.held()?.length === 1);
    assert.ok(sleeps.includes(50), `${sleeps}`);
    sleeps.length = 0;
    await eventually("calm looks", () => sleeps.slice(-2).every((ms) => ms === 250));
    await one.member.leave();
    await other.member.leave();
  } finally {
    await log.close();
    await Deno.remove(dir, { recursive: true });
  }
});

Deno.test("group: a member that was taken for dead says so, lets go and joins again", async () => {
  const dir = await Deno.makeTempDir({ prefix: "framelane-group-" });
  // The first member's time stands still when the test says so, like that of a stopped process.
  let frozen = false;
  let wake = Promise.withResolvers<void>();
  const clock = {
    ...systemClock,
    async sleep(ms: number, signal?: AbortSignal) {
      await systemClock.sleep(ms, signal);
      if (frozen) await wake.promise;
    },
  };
  const log = new EmbeddedLog(`embedded:${dir}`, { clock });
  const other = new EmbeddedLog(`embedded:${dir}`);
  try {
    await log.createTopic("t", 2);
    const sessionTimeoutMs = 2_000;
    const a = await join(log, { ...group, sessionTimeoutMs });
    await eventually("all partitions", () => a.held()?.length === 2);
    const old = a.membership();
    frozen = true;
    wake = Promise.withResolvers<void>();
    const b = await join(other, { ...group, sessionTimeoutMs });
    await eventually("all partitions", () => b.held()?.length === 2);
    const committer = { group: "g", query: "q", topic: "t", partition: 0 };
    await rejectsWith("FENCED", () => log.committer({ ...committer, membership: old }));
    await withCommitter(
      other,
      { ...committer, membership: b.membership() },
      () => Promise.resolve(),
    );
    frozen = false;
    wake.resolve();
    await eventually(
      "the rejoined member's share",
      () => a.held()?.length === 1 && b.held()?.length === 1,
    );
    assert.deepEqual(a.errors.map(({ code }) => code), ["FENCED"]);
    assert.deepEqual(a.history.map(({ partitions }) => partitions.length), [2, 0, 1]);
    assert.equal(a.membership().memberId, a.member.memberId);
    assert.ok(a.membership().generation > old.generation);
  } finally {
    wake.resolve();
    await log.close();
    await other.close();
    await Deno.remove(dir, { recursive: true });
  }
});

Deno.test("group: a member that lives is heard from at once, a stopped one loses its partitions first", async () => {
  const dir = await Deno.makeTempDir({ prefix: "framelane-group-" });
  let frozen: Promise<void> | undefined;
  const clock = {
    ...systemClock,
    async sleep(ms: number, signal?: AbortSignal) {
      await systemClock.sleep(ms, signal);
      await frozen;
    },
  };
  const { promise: woken, resolve: wake } = Promise.withResolvers<void>();
  const log = new EmbeddedLog(`embedded:${dir}`, { clock });
  const other = new EmbeddedLog(`embedded:${dir}`);
  try {
    await log.createTopic("t", 2);
    const a = await join(log, { ...group, sessionTimeoutMs: 2_000 });
    const b = await join(other, { ...group, sessionTimeoutMs: 6 * PATIENCE_MS });
    await eventually("a share each", () => a.held()?.length === 1 && b.held()?.length === 1);
    let heard = false;
    void a.member.checkOthers().then(() => heard = true);
    await eventually("a sign of life", () => heard);
    frozen = woken;
    await b.member.checkOthers();
    assert.deepEqual(b.held(), [0, 1]);
  } finally {
    wake();
    await log.close();
    await other.close();
    await Deno.remove(dir, { recursive: true });
  }
});

Deno.test("group: members whose presence is no longer to be seen are judged by their silence alone", async () => {
  for (const replaced of [false, true]) {
    const dir = await Deno.makeTempDir({ prefix: "framelane-group-" });
    const open = `${dir}/open`;
    const looks = [0, 0];
    const logs = looks.map((_, i) => {
      const sleep = (ms: number, signal?: AbortSignal) => {
        if (ms <= 250) looks[i]!++;
        return systemClock.sleep(ms, signal);
      };
      return new EmbeddedLog(`embedded:${dir}`, { clock: { ...systemClock, sleep } });
    });
    try {
      await logs[0]!.createTopic("t", 2);
      const sessionTimeoutMs = 2 * PATIENCE_MS;
      const members = await Promise.all(
        logs.map((log) => join(log, { ...group, sessionTimeoutMs })),
      );
      await eventually("a share each", () => members.every((one) => one.held()?.length === 1));
      for (const { name } of Deno.readDirSync(open)) {
        await Deno.remove(`${open}/${name}`);
        // A folder cannot be opened to lock it, as a file cannot without handles or rights.
        if (replaced) await Deno.mkdir(`${open}/${name}`);
      }
      looks.fill(0);
      await eventually("looks of both", () => looks.every((count) => count >= 3));
      assert.deepEqual(members.flatMap(({ errors }) => errors), []);
      assert.deepEqual(members.map((one) => one.held()?.length), [1, 1]);
    } finally {
      for (const log of logs) await log.close();
      await Deno.remove(dir, { recursive: true });
    }
  }
});

Deno.test("group: a wall clock that jumps expels no member", async () => {
  const dir = await Deno.makeTempDir({ prefix: "framelane-group-" });
  let jump = 0;
  const clock = { ...systemClock, now: () => Date.now() + jump };
  const log = new EmbeddedLog(`embedded:${dir}`, { clock });
  const other = new EmbeddedLog(`embedded:${dir}`);
  try {
    await log.createTopic("t", 2);
    const a = await join(log, { ...group, sessionTimeoutMs: 1_000 });
    const b = await join(other, { ...group, sessionTimeoutMs: 1_000 });
    const shared = () => a.held()?.length === 1 && b.held()?.length === 1;
    await eventually("a share each", shared);
    for (const hours of [1, -1]) {
      jump = hours * 3_600_000;
      // Two session timeouts of life continue as before.
      await systemClock.sleep(2_000);
      assert.ok(shared());
    }
    assert.deepEqual([...a.errors, ...b.errors], []);
  } finally {
    await log.close();
    await other.close();
    await Deno.remove(dir, { recursive: true });
  }
});

Deno.test("group: a member that was stopped for long expels none whose session is far shorter than its own", async () => {
  const dir = await Deno.makeTempDir({ prefix: "framelane-group-" });
  let [stopped, looks] = [0, 0];
  const clock = {
    ...systemClock,
    monotonic: () => systemClock.monotonic() + stopped,
    sleep(ms: number, signal?: AbortSignal) {
      looks++;
      return systemClock.sleep(ms, signal);
    },
  };
  const log = new EmbeddedLog(`embedded:${dir}`, { clock });
  const other = new EmbeddedLog(`embedded:${dir}`);
  try {
    await log.createTopic("t", 2);
    const a = await join(log, { ...group, sessionTimeoutMs: 6 * PATIENCE_MS });
    const b = await join(other, { ...group, sessionTimeoutMs: PATIENCE_MS });
    const shared = () => a.held()?.length === 1 && b.held()?.length === 1;
    await eventually("a share each", shared);
    [stopped, looks] = [3_600_000, 0];
    await eventually("looks", () => looks >= 10);
    assert.ok(shared());
    assert.deepEqual([...a.errors, ...b.errors], []);
  } finally {
    await log.close();
    await other.close();
    await Deno.remove(dir, { recursive: true });
  }
});

Deno.test("group: members come and go, every partition ends with one owner", async () => {
  await withLogs(4, async (...logs) => {
    await logs[0]!.createTopic("t", 11);
    const members = await Promise.all(logs.map((log) => join(log, group)));
    const settled = (alive: typeof members) => {
      const held = alive.map((member) => member.held() ?? []);
      return held.flat().toSorted((a, b) => a - b).join() === "0,1,2,3,4,5,6,7,8,9,10" &&
        Math.max(...held.map((h) => h.length)) - Math.min(...held.map((h) => h.length)) <= 1;
    };
    await eventually("shares of all four", () => settled(members));
    await Promise.all([members[1]!.member.leave(), members[3]!.member.leave()]);
    const rest = [members[0]!, members[2]!];
    await eventually("shares of the two left", () => settled(rest));
    const again = await join(logs[1]!, group);
    await eventually("shares of three", () => settled([...rest, again]));
    for (const { errors } of members) assert.deepEqual(errors, []);
  });
});
