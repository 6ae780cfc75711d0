/** Obligations: who may commit, from one owner of a checkpoint to the next. */
import assert from "node:assert/strict";
import { systemClock } from "../../runtime/base/clock.ts";
import { LogError } from "../../runtime/log/log.ts";
import {
  batch,
  committerNames,
  eventually,
  join,
  type Obligation,
  readAll,
  record,
  rejectsWith,
  text,
  unique,
  withCommitter,
} from "./log_contract_kit.ts";

export function registerOwners(obligation: Obligation): void {
  obligation("a new owner fences the old one", async ({ log, reopen }) => {
    const [options, out] = [{ ...committerNames() }, unique("out")];
    await log.createTopic(options.topic, 1);
    const owned = { ...options, outputTopics: [out] };
    const output = (value: string) => ({ topic: out, partition: 0, ...record(value) });
    const old = await log.committer(owned);
    await old.plan(batch(0, 0, 1));
    await old.commit(batch(0, 0, 1), { end: 1, restart: 1 }, [output("old 0")]);
    await old.plan(batch(1, 1, 2));
    const successor = await (await reopen()).committer(owned);
    assert.deepEqual(successor.committed, { batchId: 0, end: 1, restart: 1 });
    assert.deepEqual(successor.planned, batch(1, 1, 2));
    await rejectsWith(
      "FENCED",
      () => old.commit(batch(1, 1, 2), { end: 2, restart: 2 }, [output("old 1")]),
    );
    await successor.plan(batch(1, 1, 2));
    await successor.commit(batch(1, 1, 2), { end: 2, restart: 2 }, [output("new 1")]);
    await rejectsWith("FENCED", () => old.plan(batch(1, 1, 2)));
    await old.close();
    await successor.plan(batch(2, 2, 3));
    await successor.commit(batch(2, 2, 3), { end: 3, restart: 3 }, [output("new 2")]);
    await successor.close();
    assert.deepEqual((await readAll(log, out, 0)).map((f) => text(f.value)), [
      "old 0",
      "new 1",
      "new 2",
    ]);
  });

  obligation("queries and partitions have checkpoints of their own", async ({ log }) => {
    const options = committerNames();
    await log.createTopic(options.topic, 2);
    const all = [
      options,
      { ...options, partition: 1 },
      { ...options, query: "motion" },
      { ...options, group: unique("group") },
    ];
    const committers = await Promise.all(all.map((one) => log.committer(one)));
    for (const [i, committer] of committers.entries()) {
      await committer.plan(batch(0, 0, i + 1));
      await committer.commit(batch(0, 0, i + 1), { end: i + 1, restart: i + 1 }, []);
      await committer.close();
    }
    assert.equal(new Set(committers.map((c) => c.queryId)).size, all.length);
    for (const [i, one] of all.entries()) {
      await withCommitter(log, one, (committer) => {
        assert.equal(committer.committed?.end, i + 1);
        assert.equal(committer.queryId, committers[i]!.queryId);
        return Promise.resolve();
      });
    }
  });

  obligation("a committer keeps its partition over a rebalance", async ({ log, reopen }) => {
    const options = { ...committerNames(), topic: unique("renew") };
    const { group, topic } = options;
    await log.createTopic(topic, 2);
    const a = await join(log, { group, topic });
    await eventually("all partitions", () => a.held()?.length === 2);
    const b = await join(await reopen(), { group, topic });
    await eventually("a share", () => a.held()?.length === 1 && b.held()?.length === 1);
    const [partition] = a.held()!;
    const owned = { ...options, partition: partition! };
    await withCommitter(log, { ...owned, membership: a.membership() }, async (committer) => {
      // The group may move on to another generation at any time, also just now.
      const whileOwned = async (step: () => Promise<void>) => {
        for (;;) {
          committer.renew(a.membership());
          try {
            return await step();
          } catch (error) {
            if (!(error instanceof LogError) || error.code !== "STALE_MEMBERSHIP") throw error;
          }
          await systemClock.sleep(10);
        }
      };
      const step = async (id: number) => {
        const [range, end] = [batch(id, id, id + 1), { end: id + 1, restart: id + 1 }];
        await whileOwned(() => committer.plan(range));
        await whileOwned(() => committer.commit(range, end, []));
      };
      await step(0);
      await b.member.leave();
      await eventually("all partitions", () => a.held()?.length === 2);
      await step(1);
    });
    await withCommitter(log, { ...owned, membership: a.membership() }, (committer) => {
      assert.equal(committer.committed?.end, 2);
      return Promise.resolve();
    });
    await a.member.leave();
  });

  obligation("commits that may be repeated stand like others", async ({ log, reopen }) => {
    const group = `${unique("group")}-greyscale`;
    const options = { group, query: "greyscale", topic: unique("light") };
    const count = 5;
    await log.createTopic(options.topic, count);
    const a = await join(log, { group, topic: options.topic });
    await eventually("all partitions", () => a.held()?.length === count);
    const owned = { ...options, membership: a.membership() };
    const partitions = Array.from({ length: count }, (_, partition) => partition);
    const committers = await Promise.all(
      partitions.map((partition) => log.committer({ ...owned, partition })),
    );
    const all = (id: number, repeatable: boolean, state?: Uint8Array) =>
      Promise.all(committers.map(async (committer, partition) => {
        const [start, end] = [id * 10 + partition, (id + 1) * 10 + partition];
        const range = batch(id, id === 0 ? 0 : start, end);
        await committer.plan(range, false);
        const checkpoint = { end, restart: end, ...(state === undefined ? {} : { state }) };
        await committer.commit(range, checkpoint, [], { repeatable });
      }));
    await all(0, true, new Uint8Array([1, 2, 255]));
    await all(1, false);
    await all(2, true);
    // Too large for what Kafka keeps beside an offset.
    await all(3, true, new Uint8Array(9_000).fill(7));
    await all(4, true, new Uint8Array([0, 200]));
    const ends = (await (await reopen()).checkpoints({ group })).map(({ committed }) =>
      committed?.end
    );
    assert.deepEqual(ends.sort(), partitions.map((partition) => 50 + partition));
    for (const committer of committers) await committer.close();
    for (const partition of partitions) {
      await withCommitter(log, { ...owned, partition }, (committer) => {
        assert.deepEqual(committer.committed, {
          batchId: 4,
          end: 50 + partition,
          restart: 50 + partition,
          state: new Uint8Array([0, 200]),
        });
        return Promise.resolve();
      });
    }
    await a.member.leave();
  });

  obligation(
    "the word of a generation that is gone counts after its renewal",
    async ({ log, reopen }) => {
      const group = `${unique("group")}-greyscale`;
      const options = { group, query: "greyscale", topic: unique("stale") };
      await log.createTopic(options.topic, 2);
      const a = await join(log, { group, topic: options.topic });
      await eventually("all partitions", () => a.held()?.length === 2);
      const old = a.membership();
      const b = await join(await reopen(), { group, topic: options.topic });
      await eventually("a share", () => a.held()?.length === 1 && b.held()?.length === 1);
      const [partition] = a.held()!;
      await withCommitter(
        log,
        { ...options, partition: partition!, membership: old },
        async (committer) => {
          const [range, end] = [batch(0, 0, 1), { end: 1, restart: 1 }];
          const commit = async () => {
            await committer.plan(range, false);
            await committer.commit(range, end, [], { repeatable: true });
          };
          // Some logs go by the member alone as long as the partition is its.
          await commit().catch(async (error) => {
            assert.equal((error as LogError).code, "STALE_MEMBERSHIP");
            assert.deepEqual(await log.checkpoints({ group }), []);
            committer.renew(a.membership());
            await commit();
          });
          assert.deepEqual(
            (await log.checkpoints({ group })).map(({ committed }) => committed?.end),
            [1],
          );
        },
      );
      await b.member.leave();
      await a.member.leave();
    },
  );

  obligation(
    "a checkpoint that a member owns is not given to one that asks for an unowned one",
    async ({ log, reopen }) => {
      const group = `${unique("group")}-greyscale`;
      const options = { group, query: "greyscale", topic: unique("owned"), partition: 0 };
      await log.createTopic(options.topic, 1);
      const other = await reopen();
      const member = await join(log, { group, topic: options.topic });
      await eventually("the partition", () => member.held()?.length === 1);
      await withCommitter(log, { ...options, membership: member.membership() }, async (owner) => {
        await owner.plan(batch(0, 0, 3));
        await rejectsWith("OWNED", () => other.committer({ ...options, unowned: true }));
        // The owner has noticed nothing.
        await owner.commit(batch(0, 0, 3), { end: 3, restart: 3 }, []);
      });
      await member.member.leave();
      await withCommitter(other, { ...options, unowned: true }, async (committer) => {
        assert.equal(committer.committed?.end, 3);
        await committer.plan(batch(1, 1, 1));
        await committer.commit(batch(1, 1, 1), { end: 1, restart: 1 }, []);
      });
      await withCommitter(log, options, ({ committed }) => {
        assert.equal(committed?.end, 1);
        return Promise.resolve();
      });
    },
  );

  obligation("a closed committer says so", async ({ log }) => {
    const options = committerNames();
    await log.createTopic(options.topic, 1);
    const committer = await log.committer(options);
    await committer.close();
    await rejectsWith("CLOSED", () => committer.plan(batch(0, 0, 1)));
    await committer.close();
  });
}
