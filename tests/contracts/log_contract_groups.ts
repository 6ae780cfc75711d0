/** Obligations: groups. */
import assert from "node:assert/strict";
import { systemClock } from "../../runtime/base/clock.ts";
import type { LogError } from "../../runtime/log/log.ts";
import {
  append,
  eventually,
  join,
  LogChild,
  type Obligation,
  readAll,
  record,
  records,
  rejectsWith,
  text,
  unique,
  withCommitter,
} from "./log_contract_kit.ts";
import { PATIENCE_MS } from "../support/until.ts";

export function registerGroups(obligation: Obligation): void {
  obligation("a lone member gets all partitions", async ({ log, reopen }) => {
    const [topic, group] = [unique("alone"), unique("group")];
    await log.createTopic(topic, 3);
    const first = await join(log, { group, topic });
    await eventually("all partitions", () => first.held()?.length === 3);
    assert.deepEqual(first.held(), [0, 1, 2]);
    assert.equal(first.membership().memberId, first.member.memberId);
    await first.member.leave();
    const second = await join(await reopen(), { group, topic });
    await eventually("all partitions", () => second.held()?.length === 3);
    assert.notEqual(second.member.memberId, first.member.memberId);
    assert.ok(second.membership().generation > first.membership().generation, "Generations grow");
    await second.member.leave();
    assert.deepEqual([...first.errors, ...second.errors], []);
  });

  obligation("members share, a leaver's partitions move at once", async ({ log, reopen }) => {
    const [topic, group] = [unique("share"), unique("group")];
    await log.createTopic(topic, 5);
    const a = await join(log, { group, topic, sessionTimeoutMs: 2 * PATIENCE_MS });
    await eventually("all partitions", () => a.held()?.length === 5);
    const b = await join(await reopen(), { group, topic });
    await eventually(
      "a balanced share",
      () => (a.held()?.length ?? 0) + (b.held()?.length ?? 0) === 5 && (b.held()?.length ?? 0) >= 2,
    );
    assert.ok(a.held()!.length >= 2);
    assert.deepEqual([...a.held()!, ...b.held()!].toSorted(), [0, 1, 2, 3, 4]);
    const held = a.held();
    await a.member.checkOthers();
    assert.deepEqual(a.held(), held, "A member that lives keeps its partitions");
    await a.member.leave();
    // Sooner than the session timeout.
    await eventually("the leaver's partitions", () => b.held()?.length === 5);
    await b.member.leave();
  });

  obligation("a partition is handed on after its old owner let go", async ({ log, reopen }) => {
    const [topic, group] = [unique("handover"), unique("group")];
    await log.createTopic(topic, 4);
    const owners = new Map<number, string>();
    const problems: string[] = [];
    const owner = (name: string, releaseMs: number) => async (partitions: readonly number[]) => {
      const lost = [...owners].filter(([p, who]) => who === name && !partitions.includes(p));
      // The queries of the lost partitions take their time to stop.
      if (lost.length > 0) await systemClock.sleep(releaseMs);
      for (const [partition] of lost) owners.delete(partition);
      for (const partition of partitions) {
        const holder = owners.get(partition);
        if (holder !== undefined && holder !== name) {
          problems.push(`${name} got ${partition} of ${holder}`);
        }
        owners.set(partition, name);
      }
    };
    const slow = owner("a", 400);
    const a = await join(log, { group, topic }, ({ partitions }) => slow(partitions));
    await eventually("all partitions", () => a.held()?.length === 4);
    const quick = owner("b", 0);
    const b = await join(await reopen(), { group, topic }, ({ partitions }) => quick(partitions));
    await eventually("two and two", () => a.held()?.length === 2 && b.held()?.length === 2);
    assert.deepEqual(problems, []);
    await Promise.all([a.member.leave(), b.member.leave()]);
  });

  obligation("added partitions are assigned", async ({ log }) => {
    const [topic, group] = [unique("added"), unique("group")];
    await log.createTopic(topic, 1);
    const member = await join(log, { group, topic });
    await eventually("the first partition", () => member.held()?.length === 1);
    await log.createTopic(topic, 3);
    await eventually("the new partitions", () => member.held()?.length === 3);
    await member.member.leave();
  });

  obligation("groups are independent of each other", async ({ log, reopen }) => {
    const topic = unique("both");
    await log.createTopic(topic, 2);
    const a = await join(log, { group: unique("one"), topic });
    const b = await join(await reopen(), { group: unique("two"), topic });
    await eventually("all partitions", () => a.held()?.length === 2 && b.held()?.length === 2);
    await Promise.all([a.member.leave(), b.member.leave()]);
  });

  obligation("closing the log leaves the group", async ({ log, reopen }) => {
    const [topic, group] = [unique("close"), unique("group")];
    await log.createTopic(topic, 2);
    const other = await reopen();
    const a = await join(other, { group, topic, sessionTimeoutMs: 2 * PATIENCE_MS });
    await eventually("all partitions", () => a.held()?.length === 2);
    await other.close();
    const b = await join(log, { group, topic });
    await eventually("all partitions", () => b.held()?.length === 2);
    await b.member.leave();
    await a.member.leave();
  });

  obligation(
    "a killed member's partitions move to the others",
    async ({ log }, contract) => {
      const [topic, group, out] = [unique("killed"), unique("group"), unique("out")];
      const { sessionTimeoutMs } = contract;
      await log.createTopic(topic, 2);
      const child = new LogChild(contract.childFlags(log), [
        "member",
        log.url,
        topic,
        group,
        `${sessionTimeoutMs}`,
        out,
      ]);
      try {
        while (((await child.next()).assigned as number[]).length < 2);
        const member = await join(log, { group, topic, sessionTimeoutMs });
        await eventually("a share", () => member.held()?.length === 1);
        child.kill("SIGKILL");
        await member.member.checkOthers();
        assert.deepEqual(member.held(), [0, 1]);
        await member.member.leave();
      } finally {
        await child.end();
      }
    },
  );

  for (const repeatable of [false, true]) {
    const kind = repeatable ? "commits nothing that may be repeated" : "writes nothing";
    obligation(`a stopped owner that wakes up ${kind}`, async ({ log }, contract) => {
      const [topic, group, out] = [unique("zombie"), `${unique("group")}-q`, unique("out")];
      const { sessionTimeoutMs } = contract;
      await log.createTopic(topic, 1);
      await append(log, topic, 0, records(1));
      const child = new LogChild(contract.childFlags(log), [
        "member",
        log.url,
        topic,
        group,
        `${sessionTimeoutMs}`,
        out,
      ]);
      try {
        while (((await child.next()).assigned as number[]).length < 1);
        child.kill("SIGSTOP");
        const member = await join(log, { group, topic, sessionTimeoutMs });
        await eventually(
          "the partition",
          () => member.held()?.length === 1,
        );
        await withCommitter(
          log,
          {
            group,
            query: "q",
            topic,
            partition: 0,
            outputTopics: [out],
            membership: member.membership(),
          },
          async (committer) => {
            assert.equal(committer.committed, undefined);
            const batch = { batchId: 0, start: 0, end: 1 };
            await committer.plan(batch);
            child.kill("SIGCONT");
            await child.tell(repeatable ? "0 repeatable" : "0");
            let answer = await child.next();
            while ("assigned" in answer) answer = await child.next();
            assert.deepEqual(answer, { code: "FENCED" });
            const output = { topic: out, partition: 0, ...record("from the successor") };
            const outputs = repeatable ? [] : [output];
            const commit = () =>
              committer.commit(batch, { end: 1, restart: 1 }, outputs, { repeatable });
            await eventually(
              "a commit between the rebalances that the returned member causes",
              async () => {
                committer.renew(member.membership());
                try {
                  await commit();
                  return true;
                } catch (error) {
                  if ((error as LogError).code !== "STALE_MEMBERSHIP") throw error;
                  return false;
                }
              },
            );
          },
        );
        assert.deepEqual(
          (await readAll(log, out, 0)).map((f) => text(f.value)),
          repeatable ? [] : ["from the successor"],
        );
        assert.deepEqual(
          (await log.checkpoints({ group })).map(({ committed }) => committed?.end),
          [1],
        );
        await member.member.leave();
      } finally {
        await child.end();
      }
    });
  }

  obligation("a membership that never was owns nothing", async ({ log }) => {
    const [topic, group] = [unique("forged"), unique("group")];
    await log.createTopic(topic, 1);
    const member = await join(log, { group, topic });
    await eventually("the partition", () => member.held()?.length === 1);
    const membership = { memberId: unique("nobody"), generation: 1 };
    await rejectsWith(
      "FENCED",
      () =>
        withCommitter(
          log,
          { group, query: "q", topic, partition: 0, membership },
          async (committer) => {
            const batch = { batchId: 0, start: 0, end: 1 };
            await committer.plan(batch);
            await committer.commit(batch, { end: 1, restart: 1 }, []);
          },
        ),
    );
    await member.member.leave();
  });
}
