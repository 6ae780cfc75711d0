/** A program that reads the log's database for very long: it is reported, measured, and over when that program ends. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { type Clock, systemClock } from "../../../runtime/base/clock.ts";
import { LagMeter } from "../../../runtime/driver/lag.ts";
import { QueryMetrics } from "../../../runtime/driver/metrics.ts";
import { append, eventually, records } from "../../contracts/log_contract_kit.ts";
import { managerOf } from "../../support/manager.ts";
import { inFolder, withLog } from "./embedded_kit.ts";

/** Every sleep takes a hundredth of its time: the log looks after itself each 10 ms. */
const clock: Clock = {
  now: () => systemClock.now(),
  monotonic: () => systemClock.monotonic(),
  sleep: (ms, signal) => systemClock.sleep(ms / 100, signal),
};
const [LONG, JUNK] = [64 << 20, 66 << 20];

Deno.test("embedded log: a long foreign reader is reported and measured; once it ends the write-ahead log starts over", async () => {
  await inFolder(async (dir) => {
    const told: string[] = [];
    await withLog(`embedded:${dir}`, async (log) => {
      await log.createTopic("t", 1);
      const metrics = new QueryMetrics(managerOf(), new LagMeter(log, clock));
      const page = async () => await metrics.text(await log.storage());
      const gauge = async (name: string) =>
        Number(new RegExp(`^framelane_${name} (.*)$`, "m").exec(await page())![1]);
      const foreign = () => new DatabaseSync(join(dir, "log.db"));
      using reader = foreign();
      reader.exec("BEGIN; SELECT count(*) FROM chunks");
      {
        using writer = foreign();
        writer.exec(`CREATE TABLE junk (b); INSERT INTO junk VALUES (zeroblob(${JUNK}))`);
      }
      assert.ok(await gauge("log_wal_bytes") > LONG);
      assert.ok(await gauge("log_disk_free_bytes") > 0);
      await eventually("words about the reader", () => told.length > 0);
      assert.match(told[0]!, /log\.db-wal has grown to \d+ MiB: another program .* end it/);
      // Appends continue beside it.
      await append(log, "t", 0, records(3));
      reader.exec("COMMIT");
      await eventually("a short one", async () => await gauge("log_wal_bytes") < LONG);
      assert.deepEqual([told.length, (await log.offsets("t", 0)).latest], [1, 3]);
    }, { clock, onWarning: (message) => void told.push(message) });
  });
});

Deno.test("embedded log: a fault that stays is told once", async () => {
  const { syncData } = Deno.FsFile.prototype;
  const told: string[] = [];
  let tries = 0;
  await inFolder((dir) =>
    withLog(`embedded:${dir}`, async (log) => {
      await log.createTopic("t", 1);
      Deno.FsFile.prototype.syncData = () => {
        tries++;
        return Promise.reject(new Error("Input/output error (os error 5)"));
      };
      try {
        await eventually("tries", async () => {
          await append(log, "t", 0, records(1));
          return tries > 20;
        });
      } finally {
        Deno.FsFile.prototype.syncData = syncData;
      }
      assert.deepEqual(told.map((message) => /the disk is full, or failing/.test(message)), [true]);
    }, { clock, onWarning: (message) => void told.push(message) })
  );
});
