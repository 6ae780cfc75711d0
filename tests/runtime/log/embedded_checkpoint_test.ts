import assert from "node:assert/strict";
import { join } from "node:path";
import { systemClock } from "../../../runtime/clock.ts";
import { Appender } from "../../../runtime/log/embedded/appender.ts";
import { ChangeWatcher } from "../../../runtime/log/embedded/changes.ts";
import {
  decodeBatch,
  decodeCheckpoint,
  encodeBatch,
  encodeCheckpoint,
  encodeEntry,
  maxStateBytes,
} from "../../../runtime/log/embedded/checkpoint_entry.ts";
import { CheckpointStore } from "../../../runtime/log/embedded/checkpoint_store.ts";
import {
  type CheckpointEntries,
  CheckpointKeys,
  type CheckpointParts,
} from "../../../runtime/log/embedded/checkpoint_takeover.ts";
import { EmbeddedCommitter } from "../../../runtime/log/embedded/committer.ts";
import { Database } from "../../../runtime/log/embedded/database.ts";
import { EmbeddedLog, type EmbeddedLogOptions } from "../../../runtime/log/embedded/log.ts";
import { Producers } from "../../../runtime/log/embedded/producers.ts";
import { Records } from "../../../runtime/log/embedded/records.ts";
import { Topics } from "../../../runtime/log/embedded/topics.ts";
import { defaultRetention } from "../../../runtime/log/embedded/url.ts";
import { type BatchCommitter, LogError } from "../../../runtime/log/log.ts";
import {
  LogChild,
  readAll,
  record,
  rejectsWith,
  text,
  withCommitter,
} from "../../contracts/log_contract_kit.ts";

const options = { group: "g", query: "q", topic: "t", partition: 0, outputTopics: ["out"] };
const batch = (batchId: number) => ({ batchId, start: batchId, end: batchId + 1 });
const done = (batchId: number) => ({ end: batchId + 1, restart: batchId + 1 });
const output = (value: string) => ({ topic: "out", partition: 0, ...record(value) });

async function inFolder(test: (dir: string) => Promise<void>): Promise<void> {
  const dir = await Deno.makeTempDir({ prefix: "framelane-checkpoint-" });
  try {
    await test(dir);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

async function withLog<T>(
  dir: string,
  test: (log: EmbeddedLog) => Promise<T>,
  options?: EmbeddedLogOptions,
): Promise<T> {
  const log = new EmbeddedLog(`embedded:${dir}`, options);
  try {
    await log.createTopic("t", 2);
    return await test(log);
  } finally {
    await log.close();
  }
}

async function run(committer: BatchCommitter, batchId: number, outputs: string[] = []) {
  await committer.plan(batch(batchId));
  await committer.commit(batch(batchId), done(batchId), outputs.map(output));
}

/** The parts of a log, so that a test may put its own store between. */
async function withParts(
  dir: string,
  test: (parts: CheckpointParts, store: CheckpointStore) => Promise<void>,
): Promise<void> {
  const waiting = { clock: systemClock, timeoutMs: 5_000 };
  const db = await Database.open(dir, waiting);
  const [topics, records, producers] = [new Topics(db), new Records(db), new Producers(db)];
  const store = await CheckpointStore.open(dir, () => undefined, waiting);
  const [clock, retention] = [systemClock, defaultRetention];
  const changes = new ChangeWatcher(db);
  const appender = new Appender({ db, topics, records, changes, clock, retention });
  try {
    await db.write("create topic", () => topics.ensure("t", 1));
    await test({ db, topics, records, producers, changes, appender, store, clock }, store);
  } finally {
    store.close();
    db.close();
  }
}

/** A store whose process dies before its nth commit from now on. */
function dying(store: CheckpointStore, commits: number): CheckpointEntries {
  return {
    id: store.id,
    path: store.path,
    get: (key) => store.get(key),
    list: (prefix) => store.list(prefix),
    commit: (build) =>
      commits-- > 0 ? store.commit(build) : Promise.reject(new Error("The process is dead")),
  };
}

const open = (parts: CheckpointParts) => EmbeddedCommitter.open(parts, options, () => {});

const outputs = ({ db, topics, records }: CheckpointParts) => {
  const id = topics.id("out", 0);
  const { latest } = topics.range(id);
  const place = { id, topic: "out", partition: 0 };
  const limits = { maxFrames: 1_000, maxBytes: 1 << 20, always: true };
  return db.read(
    "read",
    () => latest === 0 ? [] : records.read(place, 0, limits).map((frame) => text(frame.value)),
  );
};

Deno.test("checkpoint: a crash between records and commit is healed by the next owner", async () => {
  await inFolder((dir) =>
    withParts(dir, async (parts, store) => {
      const first = await open(parts);
      await run(first, 0, ["a"]);
      // Two more commits of the store: the plan of batch 1 and the take-over's owner entry come before.
      const dead = await open({ ...parts, store: dying(store, 2) });
      await dead.plan(batch(1));
      await assert.rejects(dead.commit(batch(1), done(1), [output("b")]), /dead/);
      assert.deepEqual(await outputs(parts), ["a", "b"]);
      const next = await open(parts);
      assert.deepEqual(next.committed, { batchId: 1, ...done(1) });
      assert.equal(next.planned, undefined);
      await run(next, 2, ["c"]);
      const last = await open(parts);
      assert.deepEqual(last.committed, { batchId: 2, ...done(2) });
      assert.deepEqual(await outputs(parts), ["a", "b", "c"]);
      assert.equal(last.queryId, first.queryId);
    })
  );
});

Deno.test("checkpoint: an owner that died anywhere in its take-over keeps nobody out", async () => {
  await inFolder((dir) =>
    withParts(dir, async (parts, store) => {
      // The commits of the first run: owner, identity, plan, commit; later ones need fewer.
      for (const commits of [0, 1, 1, 0, 2, 2]) {
        const dead = { ...parts, store: dying(store, commits) };
        await assert.rejects(async () => run(await open(dead), 0), /dead/);
      }
      await withNext(parts, (committer) => run(committer, 0, ["x"]));
      assert.deepEqual(await outputs(parts), ["x"]);
    })
  );
});

async function withNext(
  parts: CheckpointParts,
  action: (committer: EmbeddedCommitter) => Promise<void>,
) {
  const committer = await open(parts);
  await action(committer);
  await committer.close();
}

Deno.test("checkpoint: a batch whose records are written counts as done, even if a successor was faster", async () => {
  await inFolder((dir) =>
    withParts(dir, async (parts, store) => {
      const hook: { beforeCommit?: () => Promise<unknown> } = {};
      const slow: CheckpointEntries = {
        ...dying(store, Infinity),
        commit: async (build) => {
          await hook.beforeCommit?.();
          return await store.commit(build);
        },
      };
      const old = await open({ ...parts, store: slow });
      await old.plan(batch(0));
      let successor: EmbeddedCommitter | undefined;
      hook.beforeCommit = async () => successor ??= await open(parts);
      await old.commit(batch(0), done(0), [output("once")]);
      assert.deepEqual(successor!.committed, { batchId: 0, ...done(0) });
      await rejectsWith("FENCED", () => old.plan(batch(1)));
      await run(successor!, 1, ["twice"]);
      assert.deepEqual(await outputs(parts), ["once", "twice"]);
    })
  );
});

Deno.test("checkpoint: of many that take over at once one writes", async () => {
  await inFolder(async (dir) => {
    await withLog(dir, async (log) => {
      const others = Array.from({ length: 3 }, () => new EmbeddedLog(`embedded:${dir}`));
      const takers = await Promise.allSettled(
        Array.from({ length: 16 }, (_, i) => [log, ...others][i % 4]!.committer(options)),
      );
      let written = 0;
      for (const taker of takers) {
        if (taker.status === "rejected") {
          assert.equal((taker.reason as LogError).code, "FENCED", `${taker.reason}`);
          continue;
        }
        try {
          await run(taker.value, 0, ["only one"]);
          written++;
        } catch (error) {
          assert.equal((error as LogError).code, "FENCED", `${error}`);
        }
      }
      for (const other of others) await other.close();
      assert.equal(written, 1);
      assert.deepEqual((await readAll(log, "out", 0)).map((f) => text(f.value)), ["only one"]);
    });
  });
});

Deno.test("checkpoint: kill -9 at any point, outputs are there once and in order", async () => {
  await inFolder(async (dir) => {
    const url = `embedded:${dir}`;
    await withLog(dir, () => Promise.resolve());
    const count = 120;
    const flags = [`--allow-read=${dir}`, `--allow-write=${dir}`];
    let kills = 0;
    for (let finished = false; !finished;) {
      const child = new LogChild(flags, ["batches", url, "t", "g", "out", `${count}`]);
      try {
        // Different points: after 1, 2, … lines, and a different part of a batch later.
        const lines = kills < 8 ? 1 + kills : Infinity;
        for (let line = 0; line < lines && !finished; line++) {
          finished = (await child.next()).finished === true;
        }
        if (!finished) {
          const until = performance.now() + kills * 0.17;
          while (performance.now() < until);
          child.kill("SIGKILL");
          kills++;
        }
      } finally {
        await child.end();
      }
    }
    assert.equal(kills, 8);
    await withLog(dir, async (log) => {
      const values = (await readAll(log, "out", 0)).map((f) => text(f.value));
      assert.deepEqual(values, Array.from({ length: count }, (_, i) => `output ${i}`));
    });
  });
});

Deno.test("checkpoint: the past is pruned", async () => {
  await inFolder(async (dir) => {
    await withLog(dir, (log) =>
      withCommitter(log, options, async (committer) => {
        for (let i = 0; i < 130; i++) await run(committer, i);
      }));
    const kv = await Deno.openKv(join(dir, "checkpoints.kv"));
    const prefix = ["framelane", "checkpoint", "g", "q", "t", 0];
    for (const kind of ["offsets", "commits"]) {
      const ids = (await Array.fromAsync(kv.list({ prefix: [...prefix, kind] }))).map(({ key }) =>
        Number(key.at(-1))
      );
      assert.deepEqual(ids, Array.from({ length: 100 }, (_, i) => i + 30));
    }
    kv.close();
    await withLog(dir, (log) =>
      withCommitter(log, options, (committer) => {
        assert.equal(committer.committed?.batchId, 129);
        return Promise.resolve();
      }));
  });
});

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
      const at = random(whole.length);
      damaged[at]! ^= 1 << random(8);
      await check(damaged, `bit of byte ${at} flipped`);
    }
    await check(new TextEncoder().encode("not a database ".repeat(1_000)), "text");
    assert.ok(outcomes.good > 5 && outcomes.named > 5, JSON.stringify(outcomes));
  });
});

Deno.test("checkpoint: a folder of its own", async () => {
  await inFolder(async (dir) => {
    const at = (name: string) => ({ checkpointDir: join(dir, name) });
    const log = join(dir, "log");
    const next = (name: string, then?: (c: BatchCommitter) => Promise<unknown>) =>
      withLog(log, (log) =>
        withCommitter(log, options, async (committer) => {
          const id = (committer.committed?.batchId ?? -1) + 1;
          await then?.(committer);
          return id;
        }), at(name));
    assert.equal(await next("a", (c) => run(c, 0, ["a0"])), 0);
    assert.equal(await next("b", (c) => run(c, 0, ["b0"])), 0);
    assert.equal(await next("a", (c) => run(c, 1, ["a1"])), 1);
    assert.equal(await next("b"), 1);
    // Removed on purpose: a first start.
    await Deno.remove(join(dir, "a"), { recursive: true });
    assert.equal(await next("a"), 0);
    // The log was removed, the checkpoint was not: its offsets mean nothing any more.
    await Deno.remove(log, { recursive: true });
    const { message } = await rejectsWith("INVALID", () => next("b"));
    assert.match(message, /it is of log .*, this is log .*; use another --checkpoint/);
  });
});

Deno.test("checkpoint: a record for a partition that is not there leaves the whole batch out", async () => {
  await inFolder((dir) =>
    withLog(dir, async (log) => {
      await withCommitter(log, options, async (committer) => {
        await committer.plan(batch(0));
        const nowhere = { ...output("nowhere"), partition: 2 };
        await rejectsWith("PARTITION_MISSING", () =>
          committer.commit(batch(0), done(0), [output("here"), nowhere]));
      });
      assert.deepEqual(await readAll(log, "out", 0), []);
      await withCommitter(log, options, (committer) => {
        assert.equal(committer.committed, undefined);
        return Promise.resolve();
      });
    })
  );
});

Deno.test("checkpoint: state and offsets are checked", async () => {
  await inFolder((dir) =>
    withLog(dir, (log) =>
      withCommitter(log, options, async (committer) => {
        await rejectsWith("INVALID", () => committer.plan({ batchId: 0, start: 3, end: 2 }));
        await rejectsWith("INVALID", () => committer.plan({ batchId: 0, start: 0.5, end: 2 }));
        await committer.plan(batch(0));
        const commit = (checkpoint: { end: number; restart: number; state?: Uint8Array }) =>
          committer.commit(batch(0), checkpoint, []);
        await rejectsWith("INVALID", () => commit({ end: 1, restart: 2 }));
        await rejectsWith("INVALID", () => commit({ end: -1, restart: -1 }));
        const state = new Uint8Array(maxStateBytes + 1).fill(255);
        await rejectsWith("TOO_LARGE", () => commit({ ...done(0), state }));
        await commit({ ...done(0), state: state.subarray(1) });
        const missing = { ...options, topic: "missing" };
        await rejectsWith("TOPIC_MISSING", () => log.committer(missing));
        await rejectsWith("PARTITION_MISSING", () => log.committer({ ...options, partition: 9 }));
        await rejectsWith("INVALID", () => log.committer({ ...options, outputTopics: ["a b"] }));
      }))
  );
});
