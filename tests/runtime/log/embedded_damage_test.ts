import assert from "node:assert/strict";
import { join } from "node:path";
import {
  decodeBatch,
  decodeCheckpoint,
  encodeBatch,
  encodeCheckpoint,
  encodeEntry,
} from "../../../runtime/log/embedded/checkpoint_entry.ts";
import { CheckpointKeys } from "../../../runtime/log/embedded/checkpoint_takeover.ts";
import { LogError } from "../../../runtime/log/log.ts";
import { rejectsWith, withCommitter } from "../../contracts/log_contract_kit.ts";
import {
  batch,
  done,
  open,
  options,
  outputs,
  run,
  withLog,
  withNext,
  withParts,
} from "./embedded_checkpoint_kit.ts";
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

Deno.test("checkpoint: gaps, damage and newer versions in the store are named", async () => {
  await inFolder((dir) =>
    withParts(dir, async (parts, store) => {
      await withNext(parts, async (committer) => {
        for (let i = 0; i < 4; i++) await run(committer, i);
        await committer.plan(batch(4));
      });
      const keys = new CheckpointKeys(options, store);
      const refuses = async (
        code: "CHECKPOINT_GAP" | "CHECKPOINT_CORRUPT" | "CHECKPOINT_NEWER",
        key: Deno.KvKey,
        change: (operation: Deno.AtomicOperation) => Deno.AtomicOperation,
      ) => {
        const { value } = await store.get(key);
        await store.commit(change);
        const { message } = await rejectsWith(code, () => open(parts));
        assert.match(message, /the checkpoint of query q on t\/0 in .*checkpoints\.kv/);
        assert.match(message, /another --checkpoint or --group/);
        await store.commit((operation) => operation.set(key, value));
      };
      for (const id of [1, 2]) {
        await refuses("CHECKPOINT_GAP", keys.commits(id), (o) => o.delete(keys.commits(id)));
        await refuses("CHECKPOINT_GAP", keys.offsets(id), (o) => o.delete(keys.offsets(id)));
      }
      await refuses("CHECKPOINT_GAP", keys.commits(3), (o) => o.delete(keys.commits(3)));
      await refuses("CHECKPOINT_CORRUPT", keys.commits(3), (o) => o.set(keys.commits(3), "v1 ?"));
      await refuses("CHECKPOINT_CORRUPT", keys.owner, (o) => o.set(keys.owner, { epoch: 3 }));
      await refuses(
        "CHECKPOINT_CORRUPT",
        keys.commits(3),
        (o) => o.set(keys.commits(3), encodeCheckpoint({ batchId: 7, end: 8, restart: 8 })),
      );
      await refuses(
        "CHECKPOINT_NEWER",
        keys.offsets(4),
        (o) => o.set(keys.offsets(4), encodeBatch(batch(4)).replace("v1", "v2")),
      );
      await withNext(parts, (committer) => {
        assert.deepEqual(committer.committed, { batchId: 3, ...done(3) });
        assert.deepEqual(committer.planned, batch(4));
        return Promise.resolve();
      });
    })
  );
});

Deno.test("checkpoint: what the store lost and the database knows is brought back", async () => {
  await inFolder((dir) =>
    withParts(dir, async (parts, store) => {
      await withNext(parts, async (committer) => {
        for (let i = 0; i < 6; i++) await run(committer, i, i % 2 === 1 ? [`${i}`] : []);
      });
      const keys = new CheckpointKeys(options, store);
      for (const keep of [4, 2, 0]) {
        await store.commit((operation) => {
          for (let i = keep; i < 6; i++) {
            operation.delete(keys.offsets(i)).delete(keys.commits(i));
          }
          return operation;
        });
        await withNext(parts, (committer) => {
          assert.deepEqual(committer.committed, { batchId: 5, ...done(5) });
          assert.equal(committer.planned, undefined);
          return Promise.resolve();
        });
      }
      await withNext(parts, (committer) => run(committer, 6, ["6"]));
      await withNext(parts, (committer) => run(committer, 7));
      assert.deepEqual(await outputs(parts), ["1", "3", "5", "6"]);
    })
  );
});

Deno.test("checkpoint: a damaged file never looks like a first start", async () => {
  await inFolder(async (dir) => {
    const file = join(dir, "checkpoints.kv");
    await withLog(dir, (log) =>
      withCommitter(log, options, async (committer) => {
        for (let i = 0; i < 40; i++) await run(committer, i);
      }));
    // The database learns of these at the next take-over.
    await withLog(dir, (log) => withCommitter(log, options, (c) => run(c, 40)));
    const whole = await Deno.readFile(file);
    const [sqliteHeader, firstPage] = [100, 4_096];
    const tables = firstPage - sqliteHeader;
    const outcomes = { good: 0, named: 0 };
    const check = async (damaged: Uint8Array, what: string) => {
      for (const suffix of ["-wal", "-shm"]) {
        await Deno.remove(file + suffix).catch((error) => {
          if (!(error instanceof Deno.errors.NotFound)) throw error;
        });
      }
      await Deno.writeFile(file, damaged);
      try {
        await withLog(dir, (log) =>
          withCommitter(log, options, (committer) => {
            const id = committer.committed?.batchId ?? -1;
            assert.ok(id === 40 || id === 39, `${what}: went on after batch ${id}`);
            outcomes.good++;
            return Promise.resolve();
          }));
      } catch (error) {
        assert.ok(error instanceof LogError, `${what}: ${error}`);
        assert.match(error.code, /^CHECKPOINT_/, `${what}: ${error}`);
        outcomes.named++;
      }
    };
    for (let length = 0; length < whole.length; length += Math.ceil(whole.length / 25)) {
      await check(whole.slice(0, length), `cut at ${length}`);
    }
    let seed = 12_345;
    const random = (below: number) => (seed = (seed * 48_271) % 2_147_483_647) % below;
    for (let i = 0; i < 60; i++) {
      const damaged = whole.slice();
      // Not the definitions of Deno KV's own tables: with those it ends the process itself.
      let at = random(whole.length - tables);
      if (at >= sqliteHeader) at += tables;
      damaged[at]! ^= 1 << random(8);
      await check(damaged, `bit of byte ${at} flipped`);
    }
    await check(new TextEncoder().encode("not a database ".repeat(1_000)), "text");
    assert.ok(outcomes.good > 5 && outcomes.named > 5, JSON.stringify(outcomes));
  });
});
