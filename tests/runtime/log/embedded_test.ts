import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { join } from "node:path";
import { systemClock } from "../../../runtime/clock.ts";
import { Database } from "../../../runtime/log/embedded/database.ts";
import { EmbeddedLog } from "../../../runtime/log/embedded/log.ts";
import { defaultRetention, parseEmbeddedUrl } from "../../../runtime/log/embedded/url.ts";
import { LogError } from "../../../runtime/log/log.ts";
import { openLog } from "../../../runtime/log/open.ts";
import {
  append,
  LogChild,
  readAll,
  record,
  records,
  rejectsWith,
  text,
} from "../../contracts/log_contract_kit.ts";

/** Runs a test in a folder that is removed afterwards. */
export async function inFolder(test: (dir: string) => Promise<void>): Promise<void> {
  const dir = await Deno.makeTempDir({ prefix: "framelane-log-" });
  try {
    await test(dir);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

async function withLog<T>(
  url: string,
  test: (log: EmbeddedLog) => Promise<T>,
  options?: ConstructorParameters<typeof EmbeddedLog>[1],
): Promise<T> {
  const log = new EmbeddedLog(url, options);
  try {
    return await test(log);
  } finally {
    await log.close();
  }
}

Deno.test("embedded url: folder and retention", () => {
  assert.deepEqual(parseEmbeddedUrl("embedded:data/log"), {
    url: "embedded:data/log",
    dir: "data/log",
    retention: defaultRetention,
  });
  const { dir, retention } = parseEmbeddedUrl("embedded:/a b?retention-ms=5&retention-bytes=1000");
  assert.equal(dir, "/a b");
  assert.deepEqual(retention, { bytes: 1_000, ms: 5 });
});

Deno.test("embedded url: all faults are told together", () => {
  const parse = () => parseEmbeddedUrl("embedded:?retention-ms=0&retention-bytes=1.5&size=3");
  assert.throws(parse, (error) => {
    assert.ok(error instanceof LogError);
    assert.equal(error.code, "INVALID");
    for (
      const part of [
        "embedded:DIR",
        'retention-ms is "0"',
        'retention-bytes is "1.5"',
        "parameter size",
      ]
    ) {
      assert.ok(error.message.includes(part), `${part} in: ${error.message}`);
    }
    return true;
  });
});

Deno.test("open: a URL of another kind is refused", async () => {
  for (const url of ["", "nothing", "file:/tmp", "EMBEDDED:x"]) {
    await rejectsWith("INVALID", () => openLog(url));
  }
});

Deno.test("embedded log: foreign, newer and damaged files are named", async () => {
  await inFolder(async (dir) => {
    const at = (name: string) => `embedded:${join(dir, name)}`;
    const make = async (name: string, write: (file: string) => Promise<void> | void) => {
      await Deno.mkdir(join(dir, name));
      await write(join(dir, name, "log.db"));
      return await rejectsWith("INVALID", () => withLog(at(name), (log) => log.topics()));
    };
    const foreign = await make("foreign", (file) => {
      const db = new DatabaseSync(file);
      db.exec("CREATE TABLE cats (name TEXT)");
      db.close();
    });
    assert.match(foreign.message, /another program; name another folder/);
    const noise = await make(
      "noise",
      (file) => Deno.writeFile(file, new Uint8Array(9_999).fill(65)),
    );
    assert.match(noise.message, /not a database of an embedded log/);
    const newer = await make("newer", async (file) => {
      await withLog(at("newer"), (log) => log.topics());
      const db = new DatabaseSync(file);
      db.exec("PRAGMA user_version = 7");
      db.close();
    });
    assert.match(newer.message, /version 7, this Framelane reads version 1; update/);
    const taken = join(dir, "file");
    await Deno.writeTextFile(taken, "a file");
    const file = await rejectsWith("INVALID", () => withLog(at("file"), (log) => log.topics()));
    assert.match(file.message, /not a folder/);
    await withLog(at("cut"), async (log) => {
      await log.createTopic("t", 1);
      await append(log, "t", 0, [record(new Uint8Array(300_000))]);
    });
    await Deno.truncate(join(dir, "cut", "log.db"), 40_000);
    await rejectsWith("INTERNAL", () => withLog(at("cut"), (log) => readAll(log, "t", 0)));
  });
});

Deno.test("embedded log: a folder without access is named, and may be put right", async () => {
  await inFolder(async (dir) => {
    const blocked = join(dir, "blocked");
    await Deno.writeTextFile(blocked, "in the way");
    await withLog(`embedded:${blocked}/log`, async (log) => {
      await rejectsWith("INVALID", () => log.topics());
      await Deno.remove(blocked);
      assert.deepEqual(await log.topics(), []);
    });
    const child = new LogChild([], ["create", `embedded:${dir}`, "t", "0", "1"]);
    try {
      const { code, message } = await child.next();
      assert.equal(code, "INVALID");
      assert.match(`${message}`, /access to .*log\.db is denied; .*--allow-read and --allow-write/);
    } finally {
      await child.end();
    }
  });
});

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

Deno.test("embedded log: a full disk is told and costs nothing that was there", async () => {
  await inFolder(async (dir) => {
    const db = await Database.open(dir, { clock: systemClock, timeoutMs: 1_000 });
    try {
      const error = await rejectsWith("DISK_FULL", () =>
        db.write("append to t/0", () => {
          // A file that may not grow looks to SQLite like a disk that is full.
          db.get("PRAGMA max_page_count = 30");
          db.run("INSERT INTO records VALUES (1, 0, 0, 0, NULL, '', ?)", new Uint8Array(2_000_000));
        }));
      assert.equal(error.retryable, true);
      assert.match(error.message, /append to t\/0: no space is left for .*log\.db; free some/);
      assert.deepEqual(db.all("SELECT id FROM records"), []);
      await db.write("append", () => db.run("INSERT INTO topics VALUES (1, 't', 1)"));
    } finally {
      db.close();
    }
  });
});

Deno.test("embedded log: a lock that stays is UNREACHABLE, not an endless wait", async () => {
  await inFolder(async (dir) => {
    await withLog(`embedded:${dir}`, async (log) => {
      await log.createTopic("t", 1);
      const other = new DatabaseSync(join(dir, "log.db"));
      other.exec("BEGIN IMMEDIATE");
      const error = await rejectsWith("UNREACHABLE", () => append(log, "t", 0, records(1)));
      assert.equal(error.retryable, true);
      const waiting = append(log, "t", 0, records(1));
      other.exec("ROLLBACK");
      assert.equal(await waiting, 0);
      other.close();
    }, { timeoutMs: 30 });
  });
});

Deno.test("embedded log: timers and others get their turn during appends and reads", async () => {
  await inFolder(async (dir) => {
    await withLog(`embedded:${dir}`, async (log) => {
      await log.createTopic("t", 1);
      const producer = await log.producer();
      const value = new Uint8Array(20_000);
      let ticks = 0;
      const timer = setInterval(() => ticks++, 1);
      try {
        for (let i = 0; i < 300; i++) await producer.append("t", 0, [record(value)]);
        assert.ok(ticks > 0, "Appends held up the event loop");
        ticks = 0;
        const reader = await (await log.reader()).open("t", 0, 0);
        for (let i = 0; i < 200; i++) {
          reader.seek(0);
          for (let got = 0; got < 300;) got += (await reader.read(64)).length;
        }
        assert.ok(ticks > 0, "Reads held up the event loop");
      } finally {
        clearInterval(timer);
      }
    });
  });
});

Deno.test("embedded log: options of readers and groups are checked", async () => {
  await inFolder(async (dir) => {
    await withLog(`embedded:${dir}`, async (log) => {
      await log.createTopic("t", 1);
      await rejectsWith("INVALID", () => log.reader({ maxBufferedFrames: 0 }));
      await rejectsWith("INVALID", () => log.reader({ maxBufferedBytes: 0.5 }));
      const reader = await log.reader();
      await rejectsWith("INVALID", () => reader.open("t", 0, -1));
      const partition = await reader.open("t", 0, 0);
      await rejectsWith("INVALID", () => partition.read(0));
      const waiting = partition.read(1);
      await rejectsWith("INVALID", () => partition.read(1));
      await append(log, "t", 0, records(1));
      assert.equal((await waiting).length, 1);
      const onAssignment = () => Promise.resolve();
      await rejectsWith(
        "INVALID",
        () => log.joinGroup({ group: "g", topic: "t", sessionTimeoutMs: 10, onAssignment }),
      );
      const producer = await log.producer();
      await rejectsWith("INVALID", () => producer.append("t", 0, []));
      await rejectsWith(
        "INVALID",
        () => producer.append("t", 0, [record("x", { timestamp: NaN })]),
      );
    });
  });
});

Deno.test("embedded log: a new folder is its owner's alone", async () => {
  await inFolder(async (dir) => {
    await withLog(`embedded:${dir}/a/log`, (log) => log.topics());
    assert.equal((await Deno.stat(`${dir}/a/log`)).mode! & 0o777, 0o700);
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

Deno.test("embedded log: several processes make the same log at once", async () => {
  await inFolder(async (dir) => {
    const flags = [`--allow-read=${dir}`, `--allow-write=${dir}`];
    const children = [0, 1, 2].map((partition) =>
      new LogChild(flags, ["create", `embedded:${dir}/log`, "t", `${partition}`, "10"])
    );
    try {
      for (const child of children) assert.deepEqual(await child.next(), { appended: 10 });
    } finally {
      for (const child of children) await child.end();
    }
    await withLog(`embedded:${dir}/log`, async (log) => {
      assert.equal(await log.partitionCount("t"), 3);
      for (const partition of [0, 1, 2]) {
        assert.equal((await readAll(log, "t", partition)).length, 10);
      }
    });
  });
});

Deno.test("embedded log: kill -9 in the middle of appends loses nothing that was acknowledged", async () => {
  await inFolder(async (dir) => {
    const url = `embedded:${dir}`;
    const flags = [`--allow-read=${dir}`, `--allow-write=${dir}`];
    await withLog(url, (log) => log.createTopic("t", 1));
    let acknowledged = -1;
    let started = 0;
    for (const appends of [1, 17, 60]) {
      const child = new LogChild(flags, ["stream", url, "t", "0"]);
      try {
        for (let i = 0; i < appends; i++) {
          const { seq, offset } = await child.next();
          assert.equal(seq, i);
          assert.equal(offset, started + i);
          acknowledged = Number(offset);
        }
        child.kill("SIGKILL");
      } finally {
        await child.end();
      }
      await withLog(url, async (log) => {
        const frames = await readAll(log, "t", 0);
        const { latest } = await log.offsets("t", 0);
        assert.ok(latest > acknowledged);
        assert.equal(frames.length, latest);
        frames.slice(started).forEach((frame, i) => {
          assert.equal(frame.headers.seq, `${i}`);
          assert.equal(frame.value.length, 20_000);
          assert.ok(frame.value.every((byte) => byte === i % 251));
        });
        started = latest;
      });
      const db = new DatabaseSync(join(dir, "log.db"));
      assert.deepEqual({ ...db.prepare("PRAGMA integrity_check").get() }, {
        integrity_check: "ok",
      });
      db.close();
    }
  });
});
