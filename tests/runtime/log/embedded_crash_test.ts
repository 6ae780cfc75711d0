import assert from "node:assert/strict";
import { type CheckpointEntries } from "../../../runtime/log/embedded/checkpoint_takeover.ts";
import { EmbeddedCommitter } from "../../../runtime/log/embedded/committer.ts";
import { EmbeddedLog } from "../../../runtime/log/embedded/log.ts";
import { LogError } from "../../../runtime/log/log.ts";
import { LogChild, readAll, rejectsWith, text } from "../../contracts/log_contract_kit.ts";
import {
  batch,
  done,
  dying,
  open,
  options,
  output,
  outputs,
  run,
  withLog,
  withNext,
  withParts,
} from "./embedded_checkpoint_kit.ts";
import { inFolder } from "./embedded_kit.ts";

Deno.test("checkpoint: a crash between records and commit is healed by the next owner", async () => {
  await inFolder((dir) =>
    withParts(dir, async (parts, store) => {
      const first = await open(parts);
      await run(first, 0, ["a"]);
      // Two more commits of the store: the plan of batch 1 and the take-over's owner entry come before.
      const dead = await open({ ...parts, store: dying(store, 2) });
      await dead.plan(batch(1));
      await assert.rejects(dead.commit(batch(1), done(1), [output("b")]), /dead/);
      assert.deepEqual(await outputs(parts), ["a", "b"]);
      const next = await open(parts);
      assert.deepEqual(next.committed, { batchId: 1, ...done(1) });
      assert.equal(next.planned, undefined);
      await run(next, 2, ["c"]);
      const last = await open(parts);
      assert.deepEqual(last.committed, { batchId: 2, ...done(2) });
      assert.deepEqual(await outputs(parts), ["a", "b", "c"]);
      assert.equal(last.queryId, first.queryId);
    })
  );
});

Deno.test("checkpoint: an owner that died anywhere in its take-over keeps nobody out", async () => {
  await inFolder((dir) =>
    withParts(dir, async (parts, store) => {
      // The commits of the first run: owner, identity, plan, commit; later ones need fewer.
      for (const commits of [0, 1, 1, 0, 2, 2]) {
        const dead = { ...parts, store: dying(store, commits) };
        await assert.rejects(async () => run(await open(dead), 0), /dead/);
      }
      await withNext(parts, (committer) => run(committer, 0, ["x"]));
      assert.deepEqual(await outputs(parts), ["x"]);
    })
  );
});

Deno.test("checkpoint: a batch whose records are written counts as done, even if a successor was faster", async () => {
  await inFolder((dir) =>
    withParts(dir, async (parts, store) => {
      const hook: { beforeCommit?: () => Promise<unknown> } = {};
      const slow: CheckpointEntries = {
        ...dying(store, Infinity),
        commit: async (build) => {
          await hook.beforeCommit?.();
          return await store.commit(build);
        },
      };
      const old = await open({ ...parts, store: slow });
      await old.plan(batch(0));
      let successor: EmbeddedCommitter | undefined;
      hook.beforeCommit = async () => successor ??= await open(parts);
      await old.commit(batch(0), done(0), [output("once")]);
      assert.deepEqual(successor!.committed, { batchId: 0, ...done(0) });
      await rejectsWith("FENCED", () => old.plan(batch(1)));
      await run(successor!, 1, ["twice"]);
      assert.deepEqual(await outputs(parts), ["once", "twice"]);
    })
  );
});

Deno.test("checkpoint: of many that take over at once one writes", async () => {
  await inFolder(async (dir) => {
    await withLog(dir, async (log) => {
      const others = Array.from({ length: 3 }, () => new EmbeddedLog(`embedded:${dir}`));
      const takers = await Promise.allSettled(
        Array.from({ length: 16 }, (_, i) => [log, ...others][i % 4]!.committer(options)),
      );
      let written = 0;
      for (const taker of takers) {
        if (taker.status === "rejected") {
          assert.equal((taker.reason as LogError).code, "FENCED", `${taker.reason}`);
          continue;
        }
        try {
          await run(taker.value, 0, ["only one"]);
          written++;
        } catch (error) {
          assert.equal((error as LogError).code, "FENCED", `${error}`);
        }
      }
      for (const other of others) await other.close();
      assert.equal(written, 1);
      assert.deepEqual((await readAll(log, "out", 0)).map((f) => text(f.value)), ["only one"]);
    });
  });
});

Deno.test("checkpoint: kill -9 at any point, outputs are there once and in order", async () => {
  await inFolder(async (dir) => {
    const url = `embedded:${dir}`;
    await withLog(dir, () => Promise.resolve());
    const count = 120;
    const flags = [`--allow-read=${dir}`, `--allow-write=${dir}`];
    let kills = 0;
    for (let finished = false; !finished;) {
      const child = new LogChild(flags, ["batches", url, "t", "g", "out", `${count}`]);
      try {
        // Different points: after 1, 2, … lines, and a different part of a batch later.
        const lines = kills < 8 ? 1 + kills : Infinity;
        for (let line = 0; line < lines && !finished; line++) {
          finished = (await child.next()).finished === true;
        }
        if (!finished) {
          const until = performance.now() + kills * 0.17;
          while (performance.now() < until);
          child.kill("SIGKILL");
          kills++;
        }
      } finally {
        await child.end();
      }
    }
    assert.equal(kills, 8);
    await withLog(dir, async (log) => {
      const values = (await readAll(log, "out", 0)).map((f) => text(f.value));
      assert.deepEqual(values, Array.from({ length: count }, (_, i) => `output ${i}`));
    });
  });
});
