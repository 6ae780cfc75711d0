import assert from "node:assert/strict";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import {
  decodeBatch,
  decodeCheckpoint,
  encodeBatch,
  encodeCheckpoint,
  encodeEntry,
} from "../../../runtime/log/embedded/checkpoint_entry.ts";
import type { EmbeddedLog } from "../../../runtime/log/embedded/log.ts";
import { LogError } from "../../../runtime/log/log.ts";
import {
  append,
  readAll,
  records,
  rejectsWith,
  withCommitter,
} from "../../contracts/log_contract_kit.ts";
import { batch, done, options, run, withLog } from "./embedded_checkpoint_kit.ts";
import { inFolder } from "./embedded_kit.ts";

Deno.test("checkpoint: entries that were changed anywhere are refused", () => {
  const state = new Uint8Array([1, 2, 3]);
  const checkpoint = { batchId: 3, end: 40, restart: 30, state };
  const entries: [string, (entry: unknown, name: string) => unknown, unknown][] = [
    [encodeCheckpoint(checkpoint), decodeCheckpoint, checkpoint],
    [encodeBatch({ batchId: 3, start: 4, end: 9 }), decodeBatch, { batchId: 3, start: 4, end: 9 }],
  ];
  for (const [entry, decode, content] of entries) {
    assert.deepEqual(decode(entry, "commits/3"), content);
    const refused = (damaged: unknown) =>
      assert.throws(() => decode(damaged, "commits/3"), (error) => {
        assert.ok(error instanceof LogError);
        assert.ok(["CHECKPOINT_CORRUPT", "CHECKPOINT_NEWER"].includes(error.code), error.code);
        assert.match(error.message, /commits\/3/);
        return true;
      }, `Accepted ${JSON.stringify(damaged)}`);
    for (let at = 0; at < entry.length; at++) {
      refused(entry.slice(0, at));
      for (const bit of [1, 4, 64]) {
        const flipped = String.fromCharCode(entry.charCodeAt(at) ^ bit);
        refused(entry.slice(0, at) + flipped + entry.slice(at + 1));
      }
    }
    for (const wrong of [null, 7, {}, "v1\n{}"]) refused(wrong);
    refused(encodeEntry({ batchId: 3 }));
    refused(encodeEntry({ batchId: -1, start: 4, end: 9, restart: 9 }));
  }
  assert.throws(
    () => decodeCheckpoint("v2 00000000\nanything", "commits/3"),
    (error) => error instanceof LogError && error.code === "CHECKPOINT_NEWER",
  );
});

Deno.test("checkpoint: gaps, damage and newer versions in the database are named", async () => {
  await inFolder(async (dir) => {
    await withLog(dir, (log) =>
      withCommitter(log, options, async (committer) => {
        for (let i = 0; i < 4; i++) await run(committer, i);
        await committer.plan(batch(4));
      }));
    const db = new DatabaseSync(join(dir, "log.db"));
    const checkpoint = Number(db.prepare("SELECT id FROM checkpoints").get()!.id);
    const id = (batchId: number) => checkpoint * 2 ** 40 + batchId;
    const refuses = async (
      code: "CHECKPOINT_GAP" | "CHECKPOINT_CORRUPT" | "CHECKPOINT_NEWER",
      batchId: number,
      change: string,
      ...values: string[]
    ) => {
      const before = db.prepare("SELECT * FROM entries WHERE id = ?").get(id(batchId))!;
      db.prepare(change).run(...values, id(batchId));
      await withLog(dir, async (log) => {
        const { message } = await rejectsWith(code, () => log.committer(options));
        assert.match(message, /the checkpoint of query q on t\/0 in .*log\.db/);
        assert.match(message, /another --checkpoint or --group/);
        const [info] = await log.checkpoints();
        assert.equal(info!.fault, message);
      });
      db.prepare("INSERT OR REPLACE INTO entries VALUES (?, ?, ?)").run(
        id(batchId),
        before.offsets!,
        before.commits!,
      );
    };
    for (const batchId of [1, 2, 3]) {
      await refuses("CHECKPOINT_GAP", batchId, "DELETE FROM entries WHERE id = ?");
      const lost = "UPDATE entries SET commits = NULL WHERE id = ?";
      await refuses("CHECKPOINT_GAP", batchId, lost);
    }
    const commits = "UPDATE entries SET commits = ? WHERE id = ?";
    const offsets = "UPDATE entries SET offsets = ? WHERE id = ?";
    await refuses("CHECKPOINT_CORRUPT", 3, commits, "v1 ?");
    await refuses("CHECKPOINT_CORRUPT", 2, offsets, encodeBatch(batch(3)));
    const other = encodeCheckpoint({ batchId: 7, end: 8, restart: 8 });
    await refuses("CHECKPOINT_CORRUPT", 3, commits, other);
    await refuses("CHECKPOINT_NEWER", 4, offsets, encodeBatch(batch(4)).replace("v1", "v2"));
    db.close();
    await withLog(dir, (log) =>
      withCommitter(log, options, (committer) => {
        assert.deepEqual(committer.committed, { batchId: 3, ...done(3) });
        assert.deepEqual(committer.planned, batch(4));
        return Promise.resolve();
      }));
  });
});

Deno.test("embedded log: a sector that cannot be read costs the records in it; a disk that is away costs none", async () => {
  await inFolder((dir) =>
    withLog(join(dir, "log"), async (log) => {
      for (let i = 0; i < 4; i++) await append(log, "t", 0, records(16, `${i}`.repeat(3_000)));
      const { readSync } = Deno.FsFile.prototype;
      const unreadable = (from: number, to: number) => {
        Deno.FsFile.prototype.readSync = function (into) {
          const at = this.seekSync(0, Deno.SeekMode.Current);
          // The segment, not the file of the tails.
          if (this.statSync().size < 100_000 || at + into.length <= from || at >= to) {
            return readSync.call(this, into);
          }
          if (at >= from) throw new Error("Input/output error (os error 5)");
          return readSync.call(this, into.subarray(0, from - at));
        };
      };
      try {
        unreadable(8_192, 12_288);
        const bad = async (log: EmbeddedLog) => {
          const frames = await readAll(log, "t", 0);
          assert.equal(frames.length, 64);
          return frames.filter(({ fault }) => fault !== undefined).map(({ offset }) => offset);
        };
        assert.deepEqual(await bad(log), [2, 3, 4]);
        const { copyFile } = Deno;
        try {
          Deno.copyFile = () => Promise.reject(new Error("Input/output error (os error 5)"));
          assert.equal((await log.backup(join(dir, "backup"))).unreadable, 4_096);
          unreadable(0, Infinity);
          const { message } = await rejectsWith("INTERNAL", () => log.backup(join(dir, "away")));
          assert.match(
            message,
            /^Cannot read frames at byte 0: .*t-0.*\.seg cannot be read or written: /,
          );
        } finally {
          Deno.copyFile = copyFile;
        }
        unreadable(Infinity, Infinity);
        assert.deepEqual(await withLog(join(dir, "backup"), bad), [2, 3, 4]);
        // Also where the system still remembers a part of it.
        for (const [from, to] of [[0, Infinity], [80_000, Infinity], [0, 80_000]] as const) {
          unreadable(from, to);
          const { message } = await rejectsWith("INTERNAL", () => readAll(log, "t", 0));
          assert.match(
            message,
            /^Cannot read frames at byte \d+: .*t-0.*\.seg cannot be read or written: the disk is full, or failing/,
          );
        }
        // What was read before is read again, not given out from what came in its place.
        unreadable(Infinity, Infinity);
        const reader = await log.reader({ maxBufferedFrames: 4 });
        const partition = await reader.open("t", 0, 0);
        await partition.read(4);
        unreadable(110_000, Infinity);
        await append(log, "t", 0, records(16, "4".repeat(3_000)));
        await rejectsWith("INTERNAL", async () => {
          for (;;) await partition.read(4);
        });
        unreadable(Infinity, Infinity);
        partition.seek(1);
        const [frame] = await partition.read(1);
        assert.equal(new TextDecoder().decode(frame!.value), `${"0".repeat(3_000)}1`);
        await reader.close();
      } finally {
        Deno.FsFile.prototype.readSync = readSync;
      }
    })
  );
});
