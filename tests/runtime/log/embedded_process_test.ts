import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { join } from "node:path";
import {
  eventually,
  join as joinGroup,
  LogChild,
  readAll,
} from "../../contracts/log_contract_kit.ts";
import { PATIENCE_MS } from "../../support/until.ts";
import { inFolder, withLog } from "./embedded_kit.ts";

/** Never over before a test fails. */
const sessionTimeoutMs = 2 * PATIENCE_MS;

Deno.test("embedded log: several processes make the same log at once", async () => {
  await inFolder(async (dir) => {
    const flags = [`--allow-read=${dir}`, `--allow-write=${dir}`];
    const children = [0, 1, 2].map((partition) =>
      new LogChild(flags, ["create", `embedded:${dir}/log`, "t", `${partition}`, "10"])
    );
    try {
      for (const child of children) assert.deepEqual(await child.next(), { appended: 10 });
    } finally {
      for (const child of children) await child.end();
    }
    await withLog(`embedded:${dir}/log`, async (log) => {
      assert.equal(await log.partitionCount("t"), 3);
      for (const partition of [0, 1, 2]) {
        assert.equal((await readAll(log, "t", partition)).length, 10);
      }
    });
  });
});

Deno.test("embedded log: partitions of a killed process are free at once, those of a stopped one are not", async () => {
  await inFolder(async (dir) => {
    const url = `embedded:${dir}`;
    const flags = [`--allow-read=${dir}`, `--allow-write=${dir}`];
    await withLog(url, async (log) => {
      await log.createTopic("t", 2);
      const child = new LogChild(flags, ["member", url, "t", "g", `${sessionTimeoutMs}`, "out"]);
      try {
        while (((await child.next()).assigned as number[]).length < 2);
        child.kill("SIGSTOP");
        const first = await joinGroup(log, { group: "g", topic: "t", sessionTimeoutMs });
        await eventually("a look", () => first.held() !== undefined);
        assert.deepEqual(first.held(), []);
        child.kill("SIGKILL");
        await eventually("all partitions", () => first.held()?.length === 2);
        await first.member.leave();
      } finally {
        await child.end();
      }
    });
  });
});

Deno.test("embedded log: partitions of a killed process are free at once for its next start", async () => {
  await inFolder(async (dir) => {
    const url = `embedded:${dir}`;
    const flags = [`--allow-read=${dir}`, `--allow-write=${dir}`];
    await withLog(url, (log) => log.createTopic("t", 2));
    const child = new LogChild(flags, ["member", url, "t", "g", `${sessionTimeoutMs}`, "out"]);
    while (((await child.next()).assigned as number[]).length < 2);
    child.kill("SIGKILL");
    await child.end();
    await withLog(url, (log) => log.topics());
    await withLog(url, async (log) => {
      const next = await joinGroup(log, { group: "g", topic: "t" });
      await eventually("all partitions", () => next.held()?.length === 2);
    });
    await withLog(url, (log) => log.topics());
    assert.deepEqual([...Deno.readDirSync(join(dir, "open"))], []);
  });
});

Deno.test("embedded log: kill -9 in the middle of appends loses nothing that was acknowledged", async () => {
  await inFolder(async (dir) => {
    const url = `embedded:${dir}`;
    const flags = [`--allow-read=${dir}`, `--allow-write=${dir}`];
    await withLog(url, (log) => log.createTopic("t", 1));
    let acknowledged = -1;
    let started = 0;
    for (const appends of [1, 17, 60]) {
      const child = new LogChild(flags, ["stream", url, "t", "0"]);
      try {
        for (let i = 0; i < appends; i++) {
          const { seq, offset } = await child.next();
          assert.equal(seq, i);
          assert.equal(offset, started + i);
          acknowledged = Number(offset);
        }
        child.kill("SIGKILL");
      } finally {
        await child.end();
      }
      await withLog(url, async (log) => {
        const frames = await readAll(log, "t", 0);
        const { latest } = await log.offsets("t", 0);
        assert.ok(latest > acknowledged);
        assert.equal(frames.length, latest);
        frames.slice(started).forEach((frame, i) => {
          assert.equal(frame.headers.seq, `${i}`);
          assert.equal(frame.value.length, 20_000);
          assert.ok(frame.value.every((byte) => byte === i % 251));
        });
        started = latest;
      });
      const db = new DatabaseSync(join(dir, "log.db"));
      assert.deepEqual({ ...db.prepare("PRAGMA integrity_check").get() }, {
        integrity_check: "ok",
      });
      db.close();
    }
  });
});
