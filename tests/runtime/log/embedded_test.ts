import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { join } from "node:path";
import { systemClock } from "../../../runtime/base/clock.ts";
import { storeOf } from "../../../runtime/log/embedded/checkpoint_store.ts";
import { Database } from "../../../runtime/log/embedded/database.ts";
import { storageError } from "../../../runtime/log/embedded/errors.ts";
import { parseEmbeddedUrl } from "../../../runtime/log/embedded/url.ts";
import { LogError } from "../../../runtime/log/log.ts";
import { openLog } from "../../../runtime/log/open.ts";
import {
  append,
  LogChild,
  readAll,
  record,
  records,
  rejectsWith,
} from "../../contracts/log_contract_kit.ts";
import { inFolder, withLog } from "./embedded_kit.ts";

Deno.test("embedded url: folder and retention", () => {
  assert.deepEqual(parseEmbeddedUrl("embedded:data/log"), {
    dir: "data/log",
    retention: {},
    sync: "interval",
  });
  const all = "embedded:/a b?retention-ms=5&retention-bytes=1000&sync=always";
  assert.deepEqual(parseEmbeddedUrl(all), {
    dir: "/a b",
    retention: { bytes: 1_000, ms: 5 },
    sync: "always",
  });
});

Deno.test("embedded url: all faults are reported together", () => {
  const parse = () =>
    parseEmbeddedUrl("embedded:?retention-ms=0&retention-bytes=1.5&size=3&sync=often");
  assert.throws(parse, (error) => {
    assert.ok(error instanceof LogError);
    assert.equal(error.code, "INVALID");
    for (
      const part of [
        "embedded:DIR",
        'retention-ms is "0"',
        'retention-bytes is "1.5"',
        "parameter size",
        'sync is "often"',
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
    assert.match(foreign.message, /another program's database; name another folder/);
    const noise = await make(
      "noise",
      (file) => Deno.writeFile(file, new Uint8Array(9_999).fill(65)),
    );
    assert.match(noise.message, /not a database of an embedded log/);
    const versions = [
      [7, /version 7, newer than version \d, .*; update/],
      [1, /version 1, older than version \d, .*log convert/],
    ] as const;
    for (const [version, advice] of versions) {
      const { message } = await make(`version-${version}`, async (file) => {
        await withLog(at(`version-${version}`), (log) => log.createTopic("t", 1));
        const db = new DatabaseSync(file);
        db.exec(`PRAGMA user_version = ${version}`);
        db.close();
      });
      assert.match(message, advice);
    }
    const taken = join(dir, "file");
    await Deno.writeTextFile(taken, "a file");
    const file = await rejectsWith("INVALID", () => withLog(at("file"), (log) => log.topics()));
    assert.match(file.message, /not a folder/);
    await withLog(at("cut"), (log) => log.createTopic("t", 100));
    await Deno.truncate(join(dir, "cut", "log.db"), 2_000);
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

Deno.test("embedded log: a checkpoint folder that cannot be made may be made later", async () => {
  await inFolder(async (dir) => {
    const { mkdir } = Deno;
    const refuse = (error: Error) => {
      Deno.mkdir = () => Promise.reject(error);
      return storeOf(join(dir, "new"), "log").finally(() => Deno.mkdir = mkdir);
    };
    for (
      const full of [
        "No space left on device (os error 28)",
        "Disk quota exceeded (os error 122)",
        "There is not enough space on the disk. (os error 112)",
      ]
    ) {
      const refused = await rejectsWith(
        "DISK_FULL",
        () => refuse(new Error(`${full}: mkdir 'new'`)),
      );
      assert.equal(refused.retryable, true);
    }
    const denied = await rejectsWith(
      "INVALID",
      () => refuse(new Deno.errors.PermissionDenied("Permission denied (os error 13)")),
    );
    assert.match(denied.message, /expected a folder that this user may read and write/);
  });
});

Deno.test("embedded log: a partition that is being opened as the log closes is not opened", async () => {
  await inFolder(async (dir) => {
    const log = await openLog(`embedded:${dir}`);
    await log.createTopic("t", 1);
    const opened = (await log.reader()).open("t", 0, 0).then(() => "opened", ({ code }) => code);
    await log.close();
    assert.equal(await opened, "CLOSED");
  });
});

Deno.test("embedded log: a full database is reported and costs nothing that was there", async () => {
  await inFolder(async (dir) => {
    const db = await Database.open(dir, { clock: systemClock, timeoutMs: 1_000 });
    try {
      const error = await rejectsWith("DISK_FULL", () =>
        db.write("append to t/0", () => {
          // A file that may not grow looks to SQLite like a disk that is full.
          db.get("PRAGMA max_page_count = 60");
          db.run("INSERT INTO entries VALUES (1, ?, NULL)", "x".repeat(2_000_000));
        }));
      assert.equal(error.retryable, true);
      assert.match(error.message, /append to t\/0: no space is left for .*log\.db; free some/);
      assert.deepEqual(db.all("SELECT id FROM entries"), []);
      await db.write("append", () => db.run("INSERT INTO topics VALUES (1, 't', 1, 1, 1)"));
    } finally {
      await db.close();
    }
  });
});

Deno.test("embedded log: what one does wrong in a shared transaction costs itself alone", async () => {
  await inFolder(async (dir) => {
    const db = await Database.open(dir, { clock: systemClock, timeoutMs: 1_000 });
    try {
      const add = (id: number, wrong?: Error) =>
        db.write(`add ${id}`, () => {
          db.run("INSERT INTO entries VALUES (?, NULL, NULL)", id);
          if (wrong !== undefined) throw wrong;
          return id;
        });
      const [one, two, three] = await Promise.allSettled([
        add(1),
        add(2, new LogError("FENCED", "Cannot add")),
        add(3),
      ]);
      assert.deepEqual([one, three].map((r) => r.status), ["fulfilled", "fulfilled"]);
      assert.equal(two.status === "rejected" && two.reason.code, "FENCED");
      assert.deepEqual(db.all("SELECT id FROM entries"), [[1], [3]]);
    } finally {
      await db.close();
    }
  });
});

Deno.test("embedded log: too many open files are reported by name, and tried again", () => {
  const error = storageError(
    new Error("Too many open files (os error 24)"),
    "open the log",
    "log.db",
  );
  assert.deepEqual([error.code, error.retryable], ["NO_HANDLES", true]);
  assert.match(error.message, /Cannot open the log: out of file handles.*ulimit -n/);
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
