import assert from "node:assert/strict";
import { join } from "node:path";
import { systemClock } from "../../../runtime/base/clock.ts";
import { append, readAll, record, records, text } from "../../contracts/log_contract_kit.ts";
import { inFolder, withLog } from "./embedded_kit.ts";

Deno.test("embedded log: retention by bytes keeps the file small", async () => {
  await inFolder(async (dir) => {
    await withLog(`embedded:${dir}?retention-bytes=1000000`, async (log) => {
      await log.createTopic("t", 2);
      const producer = await log.producer();
      for (let i = 0; i < 400; i++) {
        await producer.append("t", i % 2, [
          record(new Uint8Array(50_000), { headers: { i: `${i}` } }),
        ]);
      }
      for (const partition of [0, 1]) {
        const { earliest, latest } = await log.offsets("t", partition);
        assert.equal(latest, 200);
        assert.ok(
          latest - earliest >= 18 && latest - earliest <= 20,
          `${latest - earliest} are left`,
        );
        const frames = await readAll(log, "t", partition);
        assert.equal(frames[0]!.offset, earliest);
        assert.equal(frames.at(-1)!.headers.i, `${398 + partition}`);
      }
    });
    const { size } = await Deno.stat(join(dir, "log.db"));
    assert.ok(size < 6_000_000, `The file has ${size} bytes`);
  });
});

Deno.test("embedded log: retention by time follows the append, not the capture", async () => {
  await inFolder(async (dir) => {
    let now = 1_000_000;
    const clock = { ...systemClock, now: () => now };
    await withLog(`embedded:${dir}?retention-ms=1000`, async (log) => {
      await log.createTopic("t", 1);
      await append(log, "t", 0, Array.from({ length: 60 }, () => record("old", { timestamp: 5 })));
      now += 999;
      await append(log, "t", 0, [record("young", { timestamp: 1 })]);
      assert.equal((await log.offsets("t", 0)).earliest, 0);
      now += 1;
      // A few at a time: each append removes more than it adds.
      for (let i = 0; i < 4; i++) await append(log, "t", 0, [record(`new${i}`)]);
      const values = (await readAll(log, "t", 0)).map((frame) => text(frame.value));
      assert.deepEqual(values, ["young", "new0", "new1", "new2", "new3"]);
      now += 5_000;
      await append(log, "t", 0, [record("last")]);
      assert.deepEqual(await log.offsets("t", 0), { earliest: 65, latest: 66 });
    }, { clock });
  });
});

Deno.test("embedded log: partitions that nobody appends to expire too", async () => {
  await inFolder(async (dir) => {
    let now = 0;
    const clock = { ...systemClock, now: () => now, monotonic: () => now };
    await withLog(`embedded:${dir}?retention-ms=1000`, async (log) => {
      await log.createTopic("t", 2);
      await append(log, "t", 1, records(3));
      now += 20_000;
      await append(log, "t", 0, records(1));
      assert.deepEqual(await log.offsets("t", 1), { earliest: 3, latest: 3 });
      assert.deepEqual(await log.offsets("t", 0), { earliest: 0, latest: 1 });
    }, { clock });
  });
});

Deno.test("embedded log: many records are deleted a part at a time", async () => {
  await inFolder(async (dir) => {
    await withLog(`embedded:${dir}`, async (log) => {
      await log.createTopic("t", 1);
      await append(log, "t", 0, records(1_000));
      await log.deleteRecords("t", 0, 700);
      assert.deepEqual(await log.offsets("t", 0), { earliest: 700, latest: 1_000 });
      await log.deleteRecords("t", 0, 5_000);
      assert.deepEqual(await log.offsets("t", 0), { earliest: 1_000, latest: 1_000 });
      assert.equal(await append(log, "t", 0, records(1)), 1_000);
    });
  });
});
