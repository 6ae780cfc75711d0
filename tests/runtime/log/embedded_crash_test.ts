import assert from "node:assert/strict";
import { systemClock } from "../../../runtime/base/clock.ts";
import { Database } from "../../../runtime/log/embedded/database.ts";
import { EmbeddedLog } from "../../../runtime/log/embedded/log.ts";
import { sealRow } from "../../../runtime/log/embedded/segment_writer.ts";
import { LogError } from "../../../runtime/log/log.ts";
import { LogChild, readAll, records, text } from "../../contracts/log_contract_kit.ts";
import { batch, done, options, output, run, withLog } from "./embedded_checkpoint_kit.ts";
import { inFolder } from "./embedded_kit.ts";

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

Deno.test("embedded log: a segment that another log has sealed costs none of the commits that share it", async () => {
  await inFolder(async (dir) => {
    await withLog(dir, async (log) => {
      const producer = await log.producer();
      const committer = await log.committer(options);
      await producer.append("out", 0, records(1));
      const db = await Database.open(dir, { clock: systemClock, timeoutMs: 10_000 });
      await db.write("seal", () => {
        const segments = db.all<[number, number]>("SELECT id, partition FROM segments");
        for (const [id, partition] of segments) sealRow(db, id, partition);
      });
      await db.close();
      await committer.plan(batch(0));
      const appends = [producer.append("out", 0, records(1))];
      const committed = committer.commit(batch(0), done(0), [output("output")]);
      appends.push(producer.append("out", 0, records(1)));
      await Promise.all([...appends, committed]);
      const values = (await readAll(log, "out", 0)).map(({ value }) => text(value));
      assert.deepEqual(values.toSorted(), ["output", "v0", "v0", "v0"]);
      await committer.close();
    });
  });
});

Deno.test("checkpoint: kill -9 at any point, outputs are there once and in order", async () => {
  await inFolder(async (dir) => {
    const url = `embedded:${dir}`;
    await withLog(dir, () => Promise.resolve());
    const count = 200;
    const flags = [`--allow-read=${dir}`, `--allow-write=${dir}`];
    let kills = 0;
    for (let finished = false; !finished;) {
      // Different points: after 1, 2, … lines, and a different part of a batch later.
      const lines = kills < 8 ? 1 + kills : Infinity;
      const child = new LogChild(
        flags,
        ["batches", url, "t", "g", "out", `${count}`, `${lines + 1}`],
      );
      try {
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
