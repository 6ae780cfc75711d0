/** `deno task log`: retention, checks, backups, old formats. */
import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import {
  encodeBatch,
  encodeCheckpoint,
  encodeEntry,
} from "../../runtime/log/embedded/checkpoint_entry.ts";
import { convertLog } from "../../runtime/log/embedded/convert.ts";
import { openLog } from "../../runtime/log/open.ts";
import { append, LogChild, readAll, record, records, text } from "../contracts/log_contract_kit.ts";
import { framelane } from "../support/framelane.ts";
import { withFolder } from "../support/folder.ts";
import { withLog } from "../support/log.ts";

/** Runs `deno task log`; gives what it printed. */
async function log(...args: string[]): Promise<{ code: number; lines: unknown[]; said: string }> {
  const { code, process } = await framelane(["log", ...args]);
  return { code, lines: process.lines, said: process.output() };
}

Deno.test("log retention shows and sets what is kept of a topic", async () => {
  await withLog(async (url, opened) => {
    await opened.createTopic("VideoStreaming", 1);
    // Each record is a chunk of its own: records expire by chunk.
    for (let i = 0; i < 20; i++) {
      await append(opened, "VideoStreaming", 0, [record(new Uint8Array(300_000))]);
    }
    const json = ["--log", url, "--json"];
    const row = { type: "retention", topic: "VideoStreaming", bytes: 2 ** 30, ms: 86_400_000 };
    assert.deepEqual((await log("retention", ...json)).lines, [row]);
    const set = await log("retention", "VideoStreaming", "--bytes", "1650000", ...json);
    assert.deepEqual(set.lines, [{ ...row, bytes: 1_650_000 }]);
    assert.deepEqual(await opened.offsets("VideoStreaming", 0), { earliest: 15, latest: 20 });
    for (const [ms, text] of [["1", "0.001 s"], ["90000", "0.03 h"], ["604800000", "168 h"]]) {
      const { said } = await log("retention", "VideoStreaming", "--ms", ms!, "--log", url);
      assert.ok(said.endsWith(`at most, for ${text}`), said);
    }
    const missing = await log("retention", "None", "--ms", "5", "--log", url);
    assert.equal(missing.code, 1);
    assert.match(missing.said, /Cannot find topic "None"/);
  });
  for (
    const [args, says] of [
      [[], /Nothing to do: expected retention, check, backup or convert/],
      [["bakup"], /Unknown action "bakup" of log: did you mean backup\?/],
      [["backup"], /Missing DIR: expected deno task log backup DIR/],
      [["check", "--bytes", "5"], /Cannot use --bytes with log check: only with retention/],
      [["retention", "--bytes", "5"], /expected a topic/],
      [["check", "--log", "kafka://127.0.0.1:1"], /expected embedded:DIR/],
    ] as [string[], RegExp][]
  ) {
    const { code, said } = await log(...args);
    assert.equal(code, 2, said);
    assert.match(said, says);
  }
});

Deno.test("a log that this user may not look at is named with what is expected", async () => {
  await withFolder(async (folder) => {
    const dir = `${folder}/log`;
    await Deno.mkdir(dir);
    const permissions = [`--deny-read=${dir}/log.db,${dir}/converting`];
    const commands = ["log check", "log retention", "log convert", "checkpoints list"];
    for (const words of [...commands, `log backup ${folder}/copy`]) {
      const args = [...words.split(" "), "--log", `embedded:${dir}`];
      const { code, process } = await framelane(args, { permissions });
      assert.equal(code, 1, process.output());
      assert.match(process.output(), /Cannot .*: access to .* is denied; expected a folder that/);
    }
  });
});

Deno.test("log check names the records that are damaged", async () => {
  await withFolder(async (folder) => {
    const url = `embedded:${folder}/log`;
    const opened = await openLog(url);
    await opened.createTopic("t", 2);
    for (let i = 0; i < 9; i++) await append(opened, "t", 1, records(1, `value ${i} `));
    await opened.close();
    const whole = await log("check", "--log", url);
    assert.equal(whole.code, 0, whole.said);
    assert.match(whole.said, /9 records, all intact/);
    for await (const { name } of Deno.readDir(`${folder}/log/segments/t-1`)) {
      const file = `${folder}/log/segments/t-1/${name}`;
      const bytes = await Deno.readFile(file);
      bytes[new TextDecoder("latin1").decode(bytes).indexOf("value 4")]! ^= 1;
      await Deno.writeFile(file, bytes);
    }
    const damaged = await log("check", "--log", url);
    assert.equal(damaged.code, 1);
    assert.match(damaged.said, /t\/1: 1 of 9 records are damaged, at offsets 4/);
  });
});

Deno.test("log backup copies a log that is written to, whole and as it was at one moment", async () => {
  await withFolder(async (folder) => {
    const url = `embedded:${folder}/log`;
    const opened = await openLog(url);
    await opened.createTopic("t", 1);
    await opened.close();
    const child = new LogChild([`--allow-read=${folder}`, `--allow-write=${folder}`], [
      "stream",
      url,
      "t",
      "0",
    ]);
    const acknowledged: number[] = [];
    let reading = true;
    try {
      await child.next();
      const listening = (async () => {
        while (reading) acknowledged.push(Number((await child.next()).offset));
      })();
      // When a check below fails the child is ended under it.
      listening.catch(() => {});
      for (const name of ["a", "b"]) {
        const before = acknowledged.length;
        const { code, said } = await log("backup", `${folder}/${name}`, "--log", url);
        assert.equal(code, 0, said);
        const checked = await log("check", "--log", `embedded:${folder}/${name}`);
        assert.equal(checked.code, 0, checked.said);
        assert.doesNotMatch(checked.said, /is a copy of log/);
        const count = Number(/(\d+) records, all intact/.exec(checked.said)![1]);
        assert.ok(count >= before, `${count} of at least ${before}`);
      }
      reading = false;
      await listening;
    } finally {
      await child.end();
    }
    const again = await log("backup", `${folder}/a`, "--log", url);
    assert.equal(again.code, 1);
    assert.match(again.said, /Cannot back up into ".*a": it holds ".*"; expected a new folder/);
  });
});

/** A log as Framelane made it before: frames in the database, checkpoints in Deno KV. */
async function makeVersion1(dir: string): Promise<void> {
  await Deno.mkdir(dir, { recursive: true });
  const db = new DatabaseSync(`${dir}/log.db`);
  db.exec(`
    PRAGMA journal_mode = WAL; PRAGMA application_id = ${0x46524c4e}; PRAGMA user_version = 1;
    CREATE TABLE log (id INTEGER PRIMARY KEY, log_id TEXT); INSERT INTO log VALUES (1, 'old');
    CREATE TABLE topics (id INTEGER PRIMARY KEY, name TEXT, partitions INTEGER);
    INSERT INTO topics VALUES (1, 't', 2);
    CREATE TABLE partitions (id INTEGER PRIMARY KEY, topic, partition, earliest, latest, bytes, change);
    INSERT INTO partitions VALUES (0, 0, 0, 0, 0, 0, 0), (1, 1, 0, 30, 130, 0, 0), (2, 1, 1, 5, 5, 0, 0);
    CREATE TABLE records (id INTEGER PRIMARY KEY, timestamp, appended, size, key, headers, value);
    CREATE TABLE producers (store, grp, query, topic, partition, epoch, checkpoint);
  `);
  const insert = db.prepare("INSERT INTO records VALUES (?, ?, ?, 9, 'CAMERA-1', ?, ?)");
  for (let offset = 30; offset < 130; offset++) {
    const headers = JSON.stringify({ seq: `${offset}` });
    const id = (1n << 40n) | BigInt(offset);
    insert.run(id, offset * 10, Date.now(), headers, new TextEncoder().encode(`v${offset}`));
  }
  const kv = await Deno.openKv(`${dir}/checkpoints.kv`);
  const id = crypto.randomUUID();
  await kv.set(["framelane", "store"], encodeEntry({ id }));
  const state = new Uint8Array([7]);
  for (const [query, ahead] of [["a", false], ["b", true]] as const) {
    const key = ["framelane", "checkpoint", "g", query, "t", 0];
    await kv.set([...key, "query"], encodeEntry({ id: `id-${query}`, log: "old" }));
    for (let batchId = 0; batchId < 4; batchId++) {
      const end = 40 + batchId;
      await kv.set([...key, "offsets", batchId], encodeBatch({ batchId, start: end - 1, end }));
      if (batchId === 3) continue;
      const entry = encodeCheckpoint({ batchId, end, restart: end - 2, state });
      await kv.set([...key, "commits", batchId], entry);
    }
    const records = encodeCheckpoint({ batchId: 3, end: 43, restart: 43 });
    db.prepare("INSERT INTO producers VALUES (?, 'g', ?, 't', 0, 4, ?)")
      .run(id, query, ahead ? records : null);
  }
  kv.close();
  db.close();
}

Deno.test("a conversion that was broken off at any of its moves is made from the start", async () => {
  const { rename } = Deno;
  for (let broken = 1; broken <= 4; broken++) {
    await withFolder(async (folder) => {
      const dir = `${folder}/log`;
      await makeVersion1(dir);
      let moves = 0;
      Deno.rename = (...paths) =>
        ++moves === broken ? Promise.reject(new Error("Broken off")) : rename(...paths);
      try {
        await assert.rejects(convertLog(dir), /Broken off/);
      } finally {
        Deno.rename = rename;
      }
      assert.deepEqual(await convertLog(dir), { records: 100, checkpoints: 2 });
      const opened = await openLog(`embedded:${dir}`);
      assert.equal((await readAll(opened, "t", 0)).length, 100);
      await opened.close();
    });
  }
});

Deno.test("log convert takes an old log over, with offsets and checkpoints", async () => {
  await withFolder(async (folder) => {
    const [dir, url] = [`${folder}/log`, `embedded:${folder}/log`];
    await makeVersion1(dir);
    const refused = await log("check", "--log", url);
    assert.equal(refused.code, 1);
    assert.match(refused.said, /version 1, older than version \d+.*: deno task log convert --log/);
    const { code, said } = await log("convert", "--log", url);
    assert.equal(code, 0, said);
    assert.match(said, /Converted 100 records and 2 checkpoints; the old files are in .*version-1/);
    const opened = await openLog(url);
    try {
      assert.deepEqual(await opened.offsets("t", 0), { earliest: 30, latest: 130 });
      assert.deepEqual(await opened.offsets("t", 1), { earliest: 5, latest: 5 });
      const frames = await readAll(opened, "t", 0);
      frames.forEach((frame, i) => {
        assert.equal(frame.offset, 30 + i);
        assert.equal(text(frame.value), `v${30 + i}`);
        assert.deepEqual([frame.key, frame.timestamp], ["CAMERA-1", 300 + 10 * i]);
        assert.deepEqual({ ...frame.headers }, { seq: `${30 + i}` });
      });
      const [a, b] = await opened.checkpoints();
      assert.deepEqual([a!.queryId, b!.queryId], ["id-a", "id-b"]);
      assert.deepEqual(a!.committed, { batchId: 2, end: 42, restart: 40, stateBytes: 1 });
      assert.deepEqual(a!.planned, { batchId: 3, start: 42, end: 43 });
      assert.deepEqual(b!.committed, { batchId: 3, end: 43, restart: 43, stateBytes: 0 });
      assert.equal(b!.planned, undefined);
      assert.equal(await append(opened, "t", 0, records(1)), 130);
    } finally {
      await opened.close();
    }
    const again = await log("convert", "--log", url);
    assert.equal(again.code, 1);
    assert.match(again.said, /already converted/);
  });
});
