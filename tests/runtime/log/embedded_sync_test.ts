import assert from "node:assert/strict";
import { join } from "node:path";
import { systemClock } from "../../../runtime/base/clock.ts";
import { FileSync, freeBytes } from "../../../runtime/log/embedded/disk.ts";
import { closeParts, openParts } from "../../../runtime/log/embedded/open_log.ts";
import { encodeRecord } from "../../../runtime/log/embedded/record.ts";
import { parseEmbeddedUrl } from "../../../runtime/log/embedded/url.ts";
import { LogError } from "../../../runtime/log/log.ts";
import { FakeClock } from "../../../runtime/testing/fake_clock.ts";
import { append, readAll, records, rejectsWith } from "../../contracts/log_contract_kit.ts";
import { PATIENCE_MS } from "../../support/until.ts";
import { inFolder, withLog } from "./embedded_kit.ts";

Deno.test("embedded log: how much is free is not known where the file system does not tell", () => {
  assert.ok(freeBytes(".")! > 0);
  assert.equal(freeBytes("/nowhere/at/all"), undefined);
});

Deno.test("sync: who comes while one is under way waits for it; one that failed is made again", async () => {
  const runs: PromiseWithResolvers<void>[] = [];
  const file = {
    syncData() {
      runs.push(Promise.withResolvers());
      return runs.at(-1)!.promise;
    },
  };
  const sync = new FileSync(file, import.meta.filename!);
  await sync.finished();
  assert.equal(runs.length, 0);
  sync.written();
  const both = [sync.finished(), sync.finished()];
  const turn = new Promise((over) => setTimeout(over, 0, "waits"));
  assert.equal(await Promise.race([both[1], turn]), "waits");
  runs[0]!.resolve();
  await Promise.all(both);
  assert.deepEqual([runs.length, sync.isDue], [1, false]);
  sync.written();
  const failing = sync.finished();
  runs[1]!.reject(new Error("Input/output error"));
  await assert.rejects(failing, /Input/);
  assert.ok(sync.isDue);
  const again = sync.finished();
  runs[2]!.resolve();
  await again;
  assert.equal(sync.isDue, false);
});

Deno.test("a segment that a full disk has sealed already is sealed once", async () => {
  await inFolder(async (dir) => {
    const place = parseEmbeddedUrl(`embedded:${dir}`);
    const waiting = { clock: systemClock, timeoutMs: PATIENCE_MS };
    const parts = await openParts(place, waiting, { tell() {}, upkeep() {} });
    const { appender, db, topics } = parts;
    await db.write("create", () => topics.ensure("t", 1));
    assert.equal(await appender.append("t", 0, records(3)), 0);
    const writeNow = db.writeNow.bind(db);
    let full = true;
    db.writeNow = (changes) => {
      if (!full) return writeNow(changes);
      full = false;
      throw new Error("database or disk is full");
    };
    await closeParts(parts);
    assert.equal(full, false);
  });
});

Deno.test("embedded log: a commit that is refused takes none with it that shares its transaction", async () => {
  await inFolder(async (dir) => {
    const waiting = { clock: systemClock, timeoutMs: PATIENCE_MS };
    const parts = await openParts(parseEmbeddedUrl(`embedded:${dir}`), waiting, {
      tell() {},
      upkeep() {},
    });
    const { appender, db, topics } = parts;
    await db.write("create", () => topics.ensure("t", 1));
    const [record] = records(1).map(encodeRecord);
    const appends = [{ topic: "t", partition: 0, records: [record!] }];
    const changes = () => {
      throw new LogError("FENCED", "Cannot commit");
    };
    const commits = [{}, { changes }, {}].map((more) => appender.commit("commit", appends, more));
    const outcomes = await Promise.allSettled(commits);
    await closeParts(parts);
    const values = outcomes.map((one) => one.status === "fulfilled" ? one.value : one.reason.code);
    assert.deepEqual(values, [[0], "FENCED", [1]]);
    await withLog(`embedded:${dir}`, async (log) => {
      assert.equal((await readAll(log, "t", 0)).length, 2);
    });
  });
});

Deno.test("an append whose sync finds no file handle says so, and the next one is stored", async () => {
  await inFolder(async (dir) => {
    await withLog(`embedded:${dir}?sync=always`, async (log) => {
      await log.createTopic("t", 1);
      const producer = await log.producer();
      const { open } = Deno;
      Deno.open = () => Promise.reject(new Error("Too many open files (os error 24)"));
      try {
        const { retryable } = await rejectsWith(
          "NO_HANDLES",
          () => producer.append("t", 0, records(1)),
        );
        assert.equal(retryable, true);
      } finally {
        Deno.open = open;
      }
      assert.equal(await producer.append("t", 0, records(2)), 0);
      assert.equal((await readAll(log, "t", 0)).length, 2);
    });
  });
});

Deno.test("embedded log: frames wait for what is missing of the reserve, but make no new one in a folder that is being deleted", async () => {
  await inFolder((dir) =>
    // Its upkeep stands still.
    withLog(`embedded:${dir}`, async (log) => {
      const reserve = join(dir, "reserve");
      await log.createTopic("t", 1);
      await append(log, "t", 0, records(1));
      await Deno.writeFile(reserve, new Uint8Array(1 << 20).fill(7));
      await append(log, "t", 0, records(1));
      const bytes = await Deno.readFile(reserve);
      assert.equal(bytes.length, 2 << 20);
      assert.ok(bytes.subarray(0, 1 << 20).every((byte) => byte === 7), "it is not written again");
      await Deno.remove(reserve);
      await append(log, "t", 0, records(1));
      await assert.rejects(Deno.stat(reserve), Deno.errors.NotFound);
    }, { clock: new FakeClock(Date.now()) })
  );
});
