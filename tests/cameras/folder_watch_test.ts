import assert from "node:assert/strict";
import { join } from "node:path";
import type { Camera } from "../../cameras/camera.ts";
import { FolderWatch } from "../../cameras/folder_watch.ts";
import { FolderSource } from "../../cameras/sources/folder.ts";
import { FakeClock } from "../../runtime/testing.ts";
import { filesIn, jpeg, put } from "./folder_kit.ts";
import { MemoryLog } from "../support/memory_log.ts";
import { runToMemory, TOPIC } from "./kit.ts";
import { until } from "../support/until.ts";
import { withFolder } from "../support/folder.ts";

/** A camera on a watched folder, in the background. */
function watching(folder: string, kv: Deno.Kv, log: MemoryLog, settleMs = 150) {
  const stop = new AbortController();
  const source = new FolderSource(folder, { settleMs });
  const reports: string[] = [];
  const running = runToMemory(folder, { source, kv, log, stop, reports });
  return {
    reports,
    async end() {
      stop.abort();
      return await running;
    },
  };
}

Deno.test("folder: what is there, then what appears, each once, also after a restart", async () => {
  await withFolder(async (folder) => {
    using kv = await Deno.openKv(":memory:");
    const log = new MemoryLog();
    await put(folder, "a.jpg", await jpeg(1));
    await put(folder, "x/b.jpg", await jpeg(2));
    let camera = watching(folder, kv, log);
    await log.until(TOPIC, 0, 2);
    await put(folder, "c.jpg", await jpeg(3));
    await log.until(TOPIC, 0, 3);
    // A whole folder that is moved in, and a file that is renamed when it is complete.
    const elsewhere = await Deno.makeTempDir({ prefix: "framelane-cameras-" });
    await put(elsewhere, "new/d.jpg", await jpeg(4));
    await Deno.rename(join(elsewhere, "new"), join(folder, "new"));
    await Deno.remove(elsewhere);
    await log.until(TOPIC, 0, 4);
    await put(folder, "e.jpg.tmp", await jpeg(5));
    await Deno.rename(join(folder, "e.jpg.tmp"), join(folder, "e.jpg"));
    await log.until(TOPIC, 0, 5);
    await camera.end();
    await put(folder, "f.jpg", await jpeg(6));
    camera = watching(folder, kv, log);
    await log.until(TOPIC, 0, 6);
    // A changed image is a new one.
    await put(folder, "a.jpg", await jpeg(200));
    await log.until(TOPIC, 0, 7);
    const { summary } = await camera.end();
    assert.deepEqual(filesIn(log), [
      "a.jpg",
      "x/b.jpg",
      "c.jpg",
      "new/d.jpg",
      "e.jpg",
      "f.jpg",
      "a.jpg",
    ]);
    assert.equal(summary.published, 2);
  });
});

Deno.test("folder: an image that is replaced while the log is slow comes once in each version", async () => {
  await withFolder(async (folder) => {
    using kv = await Deno.openKv(":memory:");
    const log = new MemoryLog();
    const gates = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    let appends = 0;
    log.beforeAppend = () => gates[appends++]?.promise;
    const [stop, begun] = [new AbortController(), Promise.withResolvers<Camera>()];
    const source = new FolderSource(folder);
    await put(folder, "latest.jpg", await jpeg(1));
    const running = runToMemory(folder, { source, kv, log, stop, onCamera: begun.resolve });
    const camera = await begun.promise;
    await until("the first is in flight", () => appends === 1);
    await put(folder, "latest.jpg", await jpeg(2, 48));
    await until("both wait", () => camera.stats.buffered === 2);
    gates[0]!.resolve();
    await until("the second is in flight", () => appends === 2);
    // A folder makes all images be looked at, before the log has stored the second version.
    await put(folder, "new/other.jpg", await jpeg(3));
    await until("the other waits", () => camera.stats.buffered >= 2);
    gates[1]!.resolve();
    await until("the other is stored", () => filesIn(log).includes("new/other.jpg"));
    stop.abort();
    await running;
    assert.deepEqual(filesIn(log), ["latest.jpg", "latest.jpg", "new/other.jpg"]);
  });
});

Deno.test("folder: a crash between log and record publishes nothing twice", async () => {
  await withFolder(async (folder) => {
    using kv = await Deno.openKv(":memory:");
    const log = new MemoryLog();
    for (const name of ["a", "b", "c"]) await put(folder, `${name}.jpg`, await jpeg(1));
    let camera = watching(folder, kv, log);
    await log.until(TOPIC, 0, 3);
    await camera.end();
    // As if the process had died before it wrote down the last two.
    for await (const { key } of kv.list({ prefix: ["published"] })) {
      if (key.at(-1) !== "a.jpg") await kv.delete(key);
    }
    for await (const { key } of kv.list({ prefix: ["position"] })) await kv.set(key, 1);
    await put(folder, "d.jpg", await jpeg(1));
    camera = watching(folder, kv, log);
    await log.until(TOPIC, 0, 4);
    await camera.end();
    assert.deepEqual(filesIn(log), ["a.jpg", "b.jpg", "c.jpg", "d.jpg"]);
  });
});

Deno.test("folder: a topic created again gets everything again", async () => {
  await withFolder(async (folder) => {
    using kv = await Deno.openKv(":memory:");
    await put(folder, "a.jpg", await jpeg(1));
    for (let run = 0; run < 2; run++) {
      const log = new MemoryLog();
      const camera = watching(folder, kv, log);
      await log.until(TOPIC, 0, 1);
      const { reports } = await camera.end();
      assert.equal(reports.some((line) => /newer than the record/.test(line)), run === 1);
    }
  });
});

Deno.test("folder: a half-written image waits until it is whole", async () => {
  await withFolder(async (folder) => {
    using kv = await Deno.openKv(":memory:");
    const log = new MemoryLog();
    const camera = watching(folder, kv, log, 60_000);
    const bytes = await jpeg(7, 200);
    const file = await Deno.open(join(folder, "slow.jpg"), { create: true, write: true });
    await file.write(bytes.subarray(0, 300));
    await file.sync();
    // Names that begin with a dot are of what is still being written.
    await put(folder, ".hidden.jpg", bytes);
    await put(folder, ".tmp/hidden.jpg", bytes);
    // A later one overtakes it.
    await put(folder, "whole.jpg", await jpeg(8));
    await log.until(TOPIC, 0, 1);
    await file.write(bytes.subarray(300));
    file.close();
    await log.until(TOPIC, 0, 2);
    await camera.end();
    assert.deepEqual(filesIn(log), ["whole.jpg", "slow.jpg"]);
    assert.deepEqual(log.records(TOPIC, 0)[1]!.value, bytes);
  });
});

Deno.test("folder: an image that changes while it is read comes once, as it is then", async () => {
  await withFolder(async (folder) => {
    using kv = await Deno.openKv(":memory:");
    const log = new MemoryLog();
    const path = join(folder, "a.jpg");
    const [first, second] = [await jpeg(1), await jpeg(2, 200)];
    await put(folder, "a.jpg", first);
    const { readFile } = Deno;
    let reads = 0;
    Deno.readFile = async (name, options) => {
      const bytes = await readFile(name, options);
      if (name === path && reads++ === 0) await Deno.writeFile(path, second);
      return bytes;
    };
    try {
      const camera = watching(folder, kv, log);
      await log.until(TOPIC, 0, 1);
      await put(folder, "b.jpg", first);
      await log.until(TOPIC, 0, 2);
      await camera.end();
    } finally {
      Deno.readFile = readFile;
    }
    assert.deepEqual(log.records(TOPIC, 0).map(({ value }) => value), [second, first]);
  });
});

Deno.test("folder: broken images are left out, said once, and stop nothing", async () => {
  await withFolder(async (folder) => {
    using kv = await Deno.openKv(":memory:");
    const log = new MemoryLog();
    const good = await jpeg(1, 100);
    await put(folder, "cut.jpg", good.subarray(0, good.length - 20));
    await put(folder, "empty.jpg", new Uint8Array());
    await put(folder, "text.png", new TextEncoder().encode("no picture"));
    // A link that leads to itself cannot be read, not even by the superuser.
    await Deno.symlink(join(folder, "loop.jpg"), join(folder, "loop.jpg"));
    const camera = watching(folder, kv, log, 50);
    await put(folder, "z.jpg", good);
    await log.until(TOPIC, 0, 1);
    const { reports } = camera;
    await until("all four are reported", () => reports.length >= 4);
    // A good one later on: by then nothing was reported twice.
    await put(folder, "zz.jpg", good);
    await log.until(TOPIC, 0, 2);
    await camera.end();
    assert.deepEqual(filesIn(log), ["z.jpg", "zz.jpg"]);
    for (const name of ["cut.jpg", "empty.jpg", "text.png", "loop.jpg"]) {
      assert.equal(reports.filter((line) => line.includes(name)).length, 1, name);
    }
  });
});

Deno.test("folder: where the system cannot watch, looking again finds what is new", async () => {
  await withFolder(async (folder) => {
    const stop = new AbortController();
    const clock = new FakeClock(1_000);
    using watch = new FolderWatch(folder, clock, stop.signal, () => {
      throw new Error("No space left for watches");
    });
    const changes = watch.changes(false);
    await clock.advance(999);
    assert.equal(clock.sleeping, 1);
    await clock.advance(1);
    assert.equal(await changes, "all");
    const impatient = watch.changes(true);
    await clock.advance(100);
    assert.deepEqual(await impatient, []);
    const stopped = watch.changes(false);
    stop.abort();
    assert.deepEqual(await stopped, []);
  });
});

Deno.test("folder: a large one, which takes long to look through, is looked through less often", async () => {
  await withFolder(async (folder) => {
    const stop = new AbortController();
    const clock = new FakeClock(1_000);
    using watch = new FolderWatch(folder, clock, stop.signal, () => {
      throw new Error("No space left for watches");
    });
    for (const [tookMs, pauseMs] of [[20, 1_000], [2_000, 20_000], [90_000, 60_000]] as const) {
      await clock.advance(tookMs);
      const changes = watch.changes(false);
      await clock.advance(pauseMs - 1);
      assert.equal(clock.sleeping, 1, String(tookMs));
      await clock.advance(1);
      assert.equal(await changes, "all");
    }
    stop.abort();
  });
});

Deno.test("folder: a watch that fails on the way costs nothing but time", async () => {
  await withFolder(async (folder) => {
    const stop = new AbortController();
    const clock = new FakeClock(1_000);
    const failed = Promise.withResolvers<void>();
    using watch = new FolderWatch(folder, clock, stop.signal, () => {
      // deno-lint-ignore require-yield
      async function* events(): AsyncGenerator<Deno.FsEvent> {
        await failed.promise;
        throw new Error("The watch broke");
      }
      return Object.assign(events(), { close() {} }) as unknown as Deno.FsWatcher;
    });
    const changes = watch.changes(false);
    failed.resolve();
    assert.equal(await changes, "all");
    const next = watch.changes(false);
    await clock.advance(1_000);
    assert.equal(await next, "all");
    stop.abort();
  });
});

Deno.test("folder: one that goes away and comes back is watched on", async () => {
  await withFolder(async (folder) => {
    using kv = await Deno.openKv(":memory:");
    const log = new MemoryLog();
    const place = join(folder, "in");
    await put(folder, "in/1.jpg", await jpeg(1));
    const camera = watching(place, kv, log);
    await log.until(TOPIC, 0, 1);
    await Deno.rename(place, join(folder, "away"));
    await until(
      "it is gone",
      () => /Cannot look into folder .*in: it is gone$/.test(camera.reports.join()),
    );
    // The kernel refuses a folder that was made anew.
    const { readDir } = Deno;
    Deno.readDir = () => {
      throw Object.assign(new Deno.errors.PermissionDenied(), { code: "EACCES" });
    };
    try {
      await put(folder, "in/2.jpg", await jpeg(2));
      const said =
        "in: reading it is not permitted; if it was replaced, restart the camera, with --allow-read";
      await until("it is refused", () => camera.reports.join().includes(said));
    } finally {
      Deno.readDir = readDir;
    }
    await log.until(TOPIC, 0, 2);
    await put(folder, "in/3.jpg", await jpeg(3));
    await log.until(TOPIC, 0, 3);
    await camera.end();
    assert.deepEqual(filesIn(log), ["1.jpg", "2.jpg", "3.jpg"]);
    assert.equal(camera.reports.length, 3);
    assert.match(camera.reports.join(), /Folder .*in is back/);
  });
});
