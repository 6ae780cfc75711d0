import assert from "node:assert/strict";
import { join } from "node:path";
import { append, eventually, records, rejectsWith } from "../../contracts/log_contract_kit.ts";
import { inFolder, withLog } from "./embedded_kit.ts";

Deno.test("embedded log: reading makes no log", () =>
  inFolder(async (dir) => {
    for (const folder of [join(dir, "missing"), dir]) {
      await withLog(`embedded:${folder}`, async (log) => {
        const missing = { code: "TOPIC_MISSING" };
        assert.deepEqual(await log.topics(), []);
        assert.equal(await log.partitionCount("t"), 0);
        assert.deepEqual(await log.checkpoints(), []);
        await assert.rejects(log.offsets("t", 0), missing);
        await assert.rejects(log.offsetForTime("t", 0, 0), missing);
        const reader = await log.reader();
        await assert.rejects(reader.open("t", 0, 0), missing);
        await log.storage();
        assert.deepEqual(await Array.fromAsync(Deno.readDir(dir)), []);
        // What another makes meanwhile is found.
        await withLog(log.url, (other) => other.createTopic("t", 1));
        await (await reader.open("t", 0, 0)).close();
        assert.equal(await log.partitionCount("t"), 1);
      });
      if (folder !== dir) await Deno.remove(folder, { recursive: true });
    }
  }));

Deno.test("embedded log: a database that cannot be looked at is reported, not taken for none", () =>
  inFolder(async (dir) => {
    await Deno.symlink("log.db", join(dir, "log.db"));
    await withLog(`embedded:${dir}`, (log) => assert.rejects(log.topics(), { name: "LogError" }));
  }));

Deno.test("embedded log: a file in place of the folder of an open log: it stops by name, and closes", async () => {
  await inFolder((dir) =>
    withLog(`embedded:${dir}/log`, async (log) => {
      await log.createTopic("t", 1);
      await append(log, "t", 0, records(1));
      await Deno.rename(`${dir}/log`, `${dir}/moved`);
      await Deno.writeTextFile(`${dir}/log`, "");
      await eventually("DELETED", () =>
        append(log, "t", 0, records(1)).then(() => false, ({ code }) => code === "DELETED"));
      const { message } = await rejectsWith("INVALID", () =>
        log.topics());
      assert.match(message, /it is not a folder/);
    }, { onWarning: () => {} })
  );
});
