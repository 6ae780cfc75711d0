/** Obligations: looking at checkpoints. */
import assert from "node:assert/strict";
import { type Obligation, record, rejectsWith, unique, withCommitter } from "./log_contract_kit.ts";
import { until } from "../support/until.ts";

const batch = (batchId: number, start: number, end: number) => ({ batchId, start, end });

export function registerInspection(obligation: Obligation): void {
  obligation("checkpoints are seen without being taken over", async ({ log, reopen }) => {
    const [group, topic, out] = [unique("group"), unique("source"), unique("out")];
    await log.createTopic(topic, 2);
    const other = await reopen();
    assert.deepEqual(await other.checkpoints({ group }), []);
    const options = { group, query: "greyscale", topic, partition: 0, outputTopics: [out] };
    await withCommitter(log, options, async (committer) => {
      await committer.plan(batch(0, 5, 9));
      const state = new Uint8Array(10);
      const records = [{ topic: out, partition: 0, ...record("a") }];
      await committer.commit(batch(0, 5, 9), { end: 9, restart: 7, state }, records);
      await committer.plan(batch(1, 9, 12));
      // A coordinator shows what a transaction committed a moment later.
      const first = async () => (await other.checkpoints({ group }))[0];
      await until("the plan is shown", async () => (await first())?.planned !== undefined);
      const [info, ...more] = await other.checkpoints({ group });
      assert.deepEqual(more, []);
      const { owner, ownerUnknown, group: held, ...rest } = info!;
      assert.ok(held === group || held === `${group}/greyscale`, held);
      assert.deepEqual(rest, {
        query: "greyscale",
        topic,
        partition: 0,
        queryId: committer.queryId,
        committed: { batchId: 0, end: 9, restart: 7, stateBytes: 10 },
        planned: batch(1, 9, 12),
      });
      // A log may be unable to tell: then it says why.
      assert.ok(ownerUnknown === undefined ? owner!.epoch >= 0 : ownerUnknown.length > 20);
      // It fenced no owner.
      await committer.commit(batch(1, 9, 12), { end: 12, restart: 12 }, []);
      const second = async () => (await first())?.committed?.batchId === 1;
      await until("the second commit is shown", second);
      const [after] = await other.checkpoints({ group });
      assert.deepEqual(after!.committed, { batchId: 1, end: 12, restart: 12, stateBytes: 0 });
      assert.equal(after!.planned, undefined);
      // Another owner is, and has a higher epoch.
      await withCommitter(other, options, async (owning) => {
        const [taken] = await log.checkpoints({ group });
        if (ownerUnknown === undefined) assert.ok(taken!.owner!.epoch > owner!.epoch);
        await rejectsWith("FENCED", () => committer.plan(batch(2, 12, 13)));
        await owning.plan(batch(2, 12, 13));
      });
    });
  });

  obligation("checkpoints are found by group, query and topic", async ({ log }) => {
    const [group, topic] = [unique("group"), unique("source")];
    await log.createTopic(topic, 3);
    for (const query of ["motion", "greyscale"]) {
      for (const partition of [2, 0]) {
        await withCommitter(log, { group, query, topic, partition }, async (committer) => {
          await committer.plan(batch(0, 0, 1));
          await committer.commit(batch(0, 0, 1), { end: 1, restart: 1 }, []);
        });
      }
    }
    const names = async (filter: Parameters<typeof log.checkpoints>[0]) =>
      (await log.checkpoints(filter)).map(({ query, partition }) => `${query}-${partition}`);
    const all = ["greyscale-0", "greyscale-2", "motion-0", "motion-2"];
    assert.deepEqual(await names({ group }), all);
    assert.deepEqual(await names({ topic }), all);
    assert.deepEqual(await names({ group, query: "motion" }), ["motion-0", "motion-2"]);
    assert.deepEqual(await names({ group, topic: unique("none") }), []);
    assert.deepEqual(await names({ group: unique("none") }), []);
    const whole = await log.checkpoints();
    assert.ok(whole.filter((info) => info.topic === topic).length === 4);
  });
}
