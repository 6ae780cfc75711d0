import assert from "node:assert/strict";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import type { BatchCommitter } from "../../../runtime/log/log.ts";
import {
  append,
  readAll,
  records,
  rejectsWith,
  withCommitter,
} from "../../contracts/log_contract_kit.ts";
import { options, run } from "./embedded_checkpoint_kit.ts";
import { inFolder, withLog } from "./embedded_kit.ts";

Deno.test("embedded log: a backup into the log itself, or one that did not end, is refused", async () => {
  await inFolder(async (dir) => {
    await withLog(`embedded:${dir}/log`, async (log) => {
      await log.createTopic("t", 1);
      await append(log, "t", 0, records(5));
      Deno.symlinkSync(join(dir, "log"), join(dir, "link"));
      Deno.writeTextFileSync(join(dir, "file"), "");
      const inside = ["log", "log/backup", "log/segments/t-0/x", "log/../log/deep/er", "log/..x"];
      for (const to of [...inside, "link/linked", "file", "file/x"]) {
        const { message } = await rejectsWith("INVALID", () => log.backup(join(dir, to)));
        assert.match(
          message,
          /Cannot back up into ".*": it (is within the log's own folder|holds "|is not a folder)/,
        );
      }
      assert.deepEqual(
        (await Array.fromAsync(Deno.readDir(join(dir, "log")))).filter(({ name }) =>
          /backup|deep/.test(name)
        ),
        [],
      );
      const stop = AbortSignal.abort(new Error("Ctrl-C"));
      await assert.rejects(log.backup(join(dir, "half"), stop), /Ctrl-C/);
      await rejectsWith("INVALID", () => log.backup(join(dir, "half")));
    });
    const { message } = await rejectsWith(
      "INVALID",
      () => withLog(`embedded:${dir}/half`, (log) => log.topics()),
    );
    assert.match(message, /it is an unfinished backup/);
  });
});

Deno.test("embedded log: a disk without rights takes a backup", async () => {
  await inFolder(async (dir) => {
    await withLog(`embedded:${dir}/log`, async (log) => {
      await log.createTopic("t", 1);
      await append(log, "t", 0, records(5));
      const { chmod } = Deno;
      Deno.chmod = () => Promise.reject(new Deno.errors.PermissionDenied("Not permitted"));
      try {
        await log.backup(join(dir, "copy"));
      } finally {
        Deno.chmod = chmod;
      }
    });
    await withLog(`embedded:${dir}/copy`, async (log) => {
      assert.equal((await readAll(log, "t", 0)).length, 5);
    });
  });
});

Deno.test("embedded log: a copy gets an identity of its own, and says so", async () => {
  await inFolder(async (dir) => {
    await withLog(`embedded:${dir}/a`, async (log) => {
      await log.createTopic("t", 1);
      await append(log, "t", 0, records(3));
    });
    const { success } = await new Deno.Command("cp", { args: ["-r", `${dir}/a`, `${dir}/b`] })
      .output();
    assert.ok(success);
    const told: string[] = [];
    const options = { onWarning: (message: string) => void told.push(message) };
    for (const name of ["b", "b", "a"]) {
      await withLog(`embedded:${dir}/${name}`, async (log) => {
        assert.equal((await readAll(log, "t", 0)).length, 3);
      }, options);
    }
    assert.equal(told.length, 1);
    assert.match(told[0]!, /\/b is a copy of log .*: it continues as log/);
    await Deno.rename(`${dir}/b`, `${dir}/moved`);
    await withLog(`embedded:${dir}/moved`, (log) => log.topics(), options);
    assert.equal(told.length, 1, "Moved is not copied");
  });
});

Deno.test("embedded log: a backup and a copy continue with the checkpoints of folders, another log does not", async () => {
  await inFolder(async (dir) => {
    const told: string[] = [];
    const committed = (name: string, folder: string, then?: (c: BatchCommitter) => Promise<void>) =>
      withLog(`embedded:${dir}/${name}`, async (log) => {
        await log.createTopic("t", 1);
        return await withCommitter(log, options, async (committer) => {
          await then?.(committer);
          return committer.committed?.batchId;
        });
      }, { checkpointDir: join(dir, folder), onWarning: (message) => void told.push(message) });
    await committed("a", "kept", async (committer) => {
      for (const batchId of [0, 1]) await run(committer, batchId);
    });
    await withLog(`embedded:${dir}/a`, (log) => log.backup(join(dir, "backup")));
    await new Deno.Command("cp", { args: ["-r", `${dir}/a`, `${dir}/copy`] }).output();
    await committed("a", "kept", (committer) => run(committer, 2));
    await committed("a", "later", (committer) => run(committer, 0));
    for (const name of ["backup", "copy"]) {
      assert.equal(await committed(name, "kept"), 1, name);
      assert.equal(await committed(name, "kept", (committer) => run(committer, 2)), 2, name);
      await rejectsWith("INVALID", () => committed(name, "later"));
    }
    assert.deepEqual(told.map((message) => message.split(" is a copy of log ")[0]), [
      `${dir}/copy`,
    ]);
    assert.equal(await committed("a", "kept"), 2);
    await rejectsWith("INVALID", () => committed("other", "kept"));
  });
});

Deno.test("embedded log: a disk that is mounted as another device holds no copy", async () => {
  await inFolder(async (dir) => {
    const told: string[] = [];
    const open = () =>
      withLog(`embedded:${dir}`, async (log) => void await log.createTopic("t", 1), {
        onWarning: (message) => void told.push(message),
      });
    await open();
    const { ino, birthtime } = await Deno.stat(`${dir}/log.db`);
    // The second is what older versions stored.
    for (const place of [`7:${ino}:${birthtime?.getTime() ?? ""}`, `7:${ino}`, `7:${ino}:1`]) {
      const db = new DatabaseSync(`${dir}/log.db`);
      db.prepare("UPDATE log SET place = ?").run(place);
      db.close();
      await open();
      assert.equal(told.length, birthtime !== null && place.endsWith(":1") ? 1 : 0, place);
    }
  });
});
