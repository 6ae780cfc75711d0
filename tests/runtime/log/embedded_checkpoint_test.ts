import assert from "node:assert/strict";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { crc32 } from "node:zlib";
import { maxStateBytes } from "../../../runtime/log/embedded/checkpoint_entry.ts";
import { Database } from "../../../runtime/log/embedded/database.ts";
import { pageSize } from "../../../runtime/log/embedded/schema.ts";
import { type BatchCommitter } from "../../../runtime/log/log.ts";
import { readAll, rejectsWith, withCommitter } from "../../contracts/log_contract_kit.ts";
import { batch, done, options, output, run, withLog } from "./embedded_checkpoint_kit.ts";
import { inFolder } from "./embedded_kit.ts";

Deno.test("checkpoint: the past is pruned", async () => {
  await inFolder(async (dir) => {
    await withLog(dir, (log) =>
      withCommitter(log, options, async (committer) => {
        for (let i = 0; i < 260; i++) await run(committer, i);
      }));
    const db = new DatabaseSync(join(dir, "log.db"));
    const kept = Number(Object.values(db.prepare("SELECT count(*) FROM entries").get()!)[0]);
    db.close();
    assert.ok(kept >= 100 && kept <= 150, `${kept} are kept`);
    await withLog(dir, (log) =>
      withCommitter(log, options, (committer) => {
        assert.equal(committer.committed?.batchId, 259);
        return Promise.resolve();
      }));
  });
});

Deno.test("checkpoint: a large state is kept of the last commit alone, a small one of all", async () => {
  await inFolder(async (dir) => {
    const large = new Uint8Array(maxStateBytes).fill(7);
    const small = large.subarray(0, 100);
    await withLog(dir, (log) =>
      withCommitter(log, options, async (committer) => {
        for (let i = 0; i < 12; i++) {
          await committer.plan(batch(i));
          await committer.commit(batch(i), { ...done(i), state: i < 4 ? small : large }, []);
        }
      }));
    const db = new DatabaseSync(join(dir, "log.db"));
    const sizes = db.prepare("SELECT length(commits) AS size FROM entries ORDER BY id").all();
    db.close();
    const states = sizes.map(({ size }) =>
      Number(size) > 1e6 ? "large" : Number(size) > 150 ? "small" : ""
    );
    assert.deepEqual(states, [...Array(4).fill("small"), ...Array(7).fill(""), "large"]);
    await withLog(dir, (log) =>
      withCommitter(log, options, ({ committed }) => {
        assert.deepEqual(committed, { ...done(11), batchId: 11, state: large });
        return Promise.resolve();
      }));
  });
});

Deno.test("checkpoint: an older Framelane, which checks the sum of each key, takes the log", async () => {
  await inFolder(async (dir) => {
    await withLog(dir, (log) => withCommitter(log, options, (committer) => run(committer, 0)));
    const db = new DatabaseSync(join(dir, "log.db"));
    const row = db.prepare("SELECT sum, store, grp, query, topic, partition FROM checkpoints")
      .get();
    db.close();
    const [sum, ...key] = Object.values(row!);
    assert.equal(sum, crc32(JSON.stringify(key)));
  });
});

Deno.test("checkpoint: an entry whose id is damaged is not just missing", async () => {
  // As a flipped bit moves the last one, and the only one.
  const moves = [[3, "id | 1 << 41"], [1, "id | 1 << 41"], [1, "id & ~(1 << 40)"]] as const;
  for (const [batches, moved] of moves) {
    await inFolder(async (dir) => {
      await withLog(dir, (log) =>
        withCommitter(log, options, async (committer) => {
          for (let i = 0; i < batches; i++) await run(committer, i);
        }));
      const db = new DatabaseSync(join(dir, "log.db"));
      db.exec(`UPDATE entries SET id = ${moved} WHERE id = (SELECT max(id) FROM entries)`);
      db.close();
      await withLog(dir, async (log) => {
        const { message } = await rejectsWith("CHECKPOINT_CORRUPT", () => log.committer(options));
        assert.match(message, /^Cannot trust the checkpoint of query q on t\/0 .* no checkpoint;/);
      });
    });
  }
});

Deno.test("checkpoint: a damaged page that holds an entry is refused, and so is one that belongs to another table", async () => {
  const file = (dir: string) => join(dir, "log.db");
  const damages: Record<string, (dir: string) => void> = {
    "table entries is damaged": (dir) => {
      const bytes = Deno.readFileSync(file(dir));
      const newest = new TextDecoder("latin1").decode(bytes).lastIndexOf('"batchId":2');
      // The lower byte of the number of cells.
      bytes[newest - newest % pageSize + 4]! ^= 1;
      Deno.writeFileSync(file(dir), bytes);
    },
    "was put where another belongs": (dir) => {
      const db = new DatabaseSync(file(dir), { defensive: false } as object);
      db.exec("PRAGMA writable_schema = ON");
      const root = "SELECT rootpage FROM sqlite_schema WHERE name = 'groups'";
      db.exec(`UPDATE sqlite_schema SET rootpage = (${root}) WHERE name = 'entries'`);
      db.close();
    },
  };
  for (const [said, damage] of Object.entries(damages)) {
    await inFolder(async (dir) => {
      await withLog(dir, (log) =>
        withCommitter(log, options, async (committer) => {
          for (let i = 0; i < 3; i++) await run(committer, i);
        }));
      damage(dir);
      await withLog(dir, async (log) => {
        const { message } = await rejectsWith("CHECKPOINT_CORRUPT", () => log.committer(options));
        assert.ok(message.includes(said), message);
      });
    });
  }
});

Deno.test("checkpoint: a take-over checks all entries, and others append meanwhile", async () => {
  const { get } = Database.prototype;
  let checks = 0;
  Database.prototype.get = function (sql, ...values) {
    if (sql.includes("integrity_check")) {
      checks++;
      const other = new DatabaseSync(this.path);
      other.exec("BEGIN IMMEDIATE; ROLLBACK");
      other.close();
    }
    return get.call(this, sql, ...values) as never;
  };
  try {
    await inFolder((dir) => withLog(dir, (log) => withCommitter(log, options, async () => {})));
  } finally {
    Database.prototype.get = get;
  }
  assert.ok(checks > 0);
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
    await withLog(log, async (log) => assert.deepEqual(await log.checkpoints(), []));
    // A folder that a query names counts where the log was opened without one.
    const inA = async (opened?: { checkpointDir: string }) =>
      await withLog(log, async (log) => {
        const [info] = await log.checkpoints({ checkpointLocation: join(dir, "a") });
        return info?.committed?.batchId;
      }, opened);
    assert.deepEqual([await inA(), await inA(at("b"))], [1, 0]);
    await withLog(log, async (log) => {
      await log.topics();
      const { stat, mkdir } = Deno;
      const denied = () => Promise.reject(new Deno.errors.NotCapable("Requires read access"));
      Object.assign(Deno, { stat: denied, mkdir: denied });
      try {
        const { message } = await rejectsWith("INVALID", () => log.checkpoints());
        assert.match(message, /^Cannot open the checkpoints in .*a: access to .* is denied/);
      } finally {
        Object.assign(Deno, { stat, mkdir });
      }
    }, at("a"));
    // Removed on purpose: a first start.
    await Deno.remove(join(dir, "a"), { recursive: true });
    assert.equal(await next("a"), 0);
    // The log was removed, the folder was not: its offsets mean nothing any more.
    await Deno.remove(log, { recursive: true });
    const { message } = await rejectsWith("INVALID", () => next("b"));
    assert.match(message, /belong to log .*, this is log .*; use another --checkpoint/);
    await Deno.writeTextFile(join(dir, "b", "metadata"), "{");
    await rejectsWith("CHECKPOINT_CORRUPT", () => next("b"));
  });
});

Deno.test("checkpoint: a request for one without an owner returns no other", async () => {
  await inFolder((dir) =>
    withLog(dir, async (log) => {
      const free = { ...options, unowned: true };
      await withCommitter(log, options, async (owner) => {
        await rejectsWith("OWNED", () => log.committer(free));
        await run(owner, 0);
      });
      await withCommitter(log, free, async (committer) => {
        assert.equal(committer.committed?.batchId, 0);
        await rejectsWith("OWNED", () => log.committer(free));
      });
      const member = await log.joinGroup({
        group: "g",
        topic: "t",
        onAssignment: () => Promise.resolve(),
      });
      await rejectsWith("OWNED", () => log.committer(free));
      await member.leave();
      await withCommitter(log, free, () => Promise.resolve());
    })
  );
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
