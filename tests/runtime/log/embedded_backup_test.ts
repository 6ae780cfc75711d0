import assert from "node:assert/strict";
import { join } from "node:path";
import { append, records, rejectsWith } from "../../contracts/log_contract_kit.ts";
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
