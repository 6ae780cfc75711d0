import assert from "node:assert/strict";
import { join } from "node:path";
import { maxStateBytes } from "../../../runtime/log/embedded/checkpoint_entry.ts";
import { type BatchCommitter } from "../../../runtime/log/log.ts";
import { readAll, rejectsWith, withCommitter } from "../../contracts/log_contract_kit.ts";
import { batch, done, options, output, run, withLog } from "./embedded_checkpoint_kit.ts";
import { inFolder } from "./embedded_kit.ts";

Deno.test("checkpoint: the past is pruned", async () => {
  await inFolder(async (dir) => {
    await withLog(dir, (log) =>
      withCommitter(log, options, async (committer) => {
        for (let i = 0; i < 130; i++) await run(committer, i);
      }));
    const kv = await Deno.openKv(join(dir, "checkpoints.kv"));
    const prefix = ["framelane", "checkpoint", "g", "q", "t", 0];
    for (const kind of ["offsets", "commits"]) {
      const ids = (await Array.fromAsync(kv.list({ prefix: [...prefix, kind] }))).map(({ key }) =>
        Number(key.at(-1))
      );
      assert.deepEqual(ids, Array.from({ length: 100 }, (_, i) => i + 30));
    }
    kv.close();
    await withLog(dir, (log) =>
      withCommitter(log, options, (committer) => {
        assert.equal(committer.committed?.batchId, 129);
        return Promise.resolve();
      }));
  });
});

Deno.test("checkpoint: a folder of its own", async () => {
  await inFolder(async (dir) => {
    const at = (name: string) => ({ checkpointDir: join(dir, name) });
    const log = join(dir, "log");
    const next = (name: string, then?: (c: BatchCommitter) => Promise<unknown>) =>
      withLog(log, (log) =>
        withCommitter(log, options, async (committer) => {
          const id = (committer.committed?.batchId ?? -1) + 1;
          await then?.(committer);
          return id;
        }), at(name));
    assert.equal(await next("a", (c) => run(c, 0, ["a0"])), 0);
    assert.equal(await next("b", (c) => run(c, 0, ["b0"])), 0);
    assert.equal(await next("a", (c) => run(c, 1, ["a1"])), 1);
    assert.equal(await next("b"), 1);
    // Removed on purpose: a first start.
    await Deno.remove(join(dir, "a"), { recursive: true });
    assert.equal(await next("a"), 0);
    // The log was removed, the checkpoint was not: its offsets mean nothing any more.
    await Deno.remove(log, { recursive: true });
    const { message } = await rejectsWith("INVALID", () => next("b"));
    assert.match(message, /it is of log .*, this is log .*; use another --checkpoint/);
  });
});

Deno.test("checkpoint: a record for a partition that is not there leaves the whole batch out", async () => {
  await inFolder((dir) =>
    withLog(dir, async (log) => {
      await withCommitter(log, options, async (committer) => {
        await committer.plan(batch(0));
        const nowhere = { ...output("nowhere"), partition: 2 };
        await rejectsWith("PARTITION_MISSING", () =>
          committer.commit(batch(0), done(0), [output("here"), nowhere]));
      });
      assert.deepEqual(await readAll(log, "out", 0), []);
      await withCommitter(log, options, (committer) => {
        assert.equal(committer.committed, undefined);
        return Promise.resolve();
      });
    })
  );
});

Deno.test("checkpoint: state and offsets are checked", async () => {
  await inFolder((dir) =>
    withLog(dir, (log) =>
      withCommitter(log, options, async (committer) => {
        await rejectsWith("INVALID", () => committer.plan({ batchId: 0, start: 3, end: 2 }));
        await rejectsWith("INVALID", () => committer.plan({ batchId: 0, start: 0.5, end: 2 }));
        await committer.plan(batch(0));
        const commit = (checkpoint: { end: number; restart: number; state?: Uint8Array }) =>
          committer.commit(batch(0), checkpoint, []);
        await rejectsWith("INVALID", () => commit({ end: 1, restart: 2 }));
        await rejectsWith("INVALID", () => commit({ end: -1, restart: -1 }));
        const state = new Uint8Array(maxStateBytes + 1).fill(255);
        await rejectsWith("TOO_LARGE", () => commit({ ...done(0), state }));
        await commit({ ...done(0), state: state.subarray(1) });
        const missing = { ...options, topic: "missing" };
        await rejectsWith("TOPIC_MISSING", () => log.committer(missing));
        await rejectsWith("PARTITION_MISSING", () => log.committer({ ...options, partition: 9 }));
        await rejectsWith("INVALID", () => log.committer({ ...options, outputTopics: ["a b"] }));
      }))
  );
});
