import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { dirname, join } from "node:path";
import { FolderWatch } from "../../cameras/folder_watch.ts";
import { FolderSource } from "../../cameras/sources/folder.ts";
import { inspectImage } from "../../runtime/image/inspect.ts";
import { encodeJpeg } from "../../runtime/image/jpeg.ts";
import { FakeClock } from "../../runtime/testing.ts";
import { MemoryLog } from "../support/memory_log.ts";
import { runToMemory, take, TOPIC } from "./kit.ts";
import { until } from "../support/until.ts";
import { withFolder } from "../support/folder.ts";

/** A small JPEG of one shade of grey. */
function jpeg(shade: number, side = 32): Promise<Uint8Array> {
  const data = new Uint8Array(side * side).fill(shade);
  return encodeJpeg({ data, width: side, height: side, channels: 1 });
}

async function put(folder: string, file: string, bytes: Uint8Array): Promise<void> {
  await Deno.mkdir(dirname(join(folder, file)), { recursive: true });
  await Deno.writeFile(join(folder, file), bytes);
}

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

const filesIn = (log: MemoryLog) => log.records(TOPIC, 0).map(({ headers }) => headers.file);

Deno.test("folder: images in the order of their names, labelled by folder, untouched", async () => {
  await withFolder(async (folder) => {
    const bytes = await jpeg(10);
    for (const file of ["b.jpg", "fight/2.jpg", "fight/1.JPEG", "calm/z.jpg"]) {
      await put(folder, file, bytes);
    }
    await put(folder, "notes.txt", bytes);
    await put(folder, ".hidden.jpg", bytes);
    await put(folder, "c.jpg.part", bytes);
    const images = await take(new FolderSource(folder, { mode: "once" }));
    assert.deepEqual(
      images.map(({ headers }) => [headers!.file, headers!.label]),
      [
        ["b.jpg", undefined],
        ["calm/z.jpg", "calm"],
        ["fight/1.JPEG", "fight"],
        ["fight/2.jpg", "fight"],
      ],
    );
    assert.ok(images.every(({ value }) => Buffer.compare(value, bytes) === 0));
    const looped = await take(new FolderSource(folder, { mode: "loop" }), 9);
    assert.equal(looped[8]!.headers!.file, "b.jpg");
    const scaled = await take(
      new FolderSource(folder, { mode: "once", size: { width: 20, height: 16 } }),
      1,
    );
    assert.deepEqual([scaled[0]!.width, inspectImage(scaled[0]!.value).height], [20, 16]);
  });
});

Deno.test("folder: an annotation file wins over folder names, its columns become headers", async () => {
  await withFolder(async (folder) => {
    for (const file of ["in/a.jpg", "in/b.jpg", "in/c.jpg"]) {
      await put(folder, file, await jpeg(1));
    }
    await put(
      folder,
      "annotations.csv",
      new TextEncoder().encode(
        'File,Label,Taken by,seq\r\nin/a.jpg,violence,"Doe, ""J.""",7\r\nb.jpg,calm,,\r\n',
      ),
    );
    const images = await take(new FolderSource(folder, { mode: "once" }));
    const annotations = images.map(({ headers }) => {
      const { file: _file, "file-version": _version, ...rest } = headers!;
      return rest;
    });
    assert.deepEqual(annotations, [
      { label: "violence", "taken-by": 'Doe, "J."' },
      { label: "calm" },
      { label: "in" },
    ]);
  });
  await withFolder(async (folder) => {
    await put(folder, "a b.jpg", await jpeg(1));
    await put(folder, "labels.txt", new TextEncoder().encode("a b.jpg fight\n"));
    const [image] = await take(new FolderSource(folder, { mode: "once" }));
    assert.equal(image!.headers!.label, "fight");
  });
});

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

Deno.test("folder: broken images are left out, said once, and stop nothing", async () => {
  await withFolder(async (folder) => {
    using kv = await Deno.openKv(":memory:");
    const log = new MemoryLog();
    const good = await jpeg(1, 100);
    await put(folder, "cut.jpg", good.subarray(0, good.length - 20));
    await put(folder, "empty.jpg", new Uint8Array());
    await put(folder, "text.png", new TextEncoder().encode("no picture"));
    // Whoever runs this: nobody can read a link that leads to itself.
    await Deno.symlink(join(folder, "loop.jpg"), join(folder, "loop.jpg"));
    const camera = watching(folder, kv, log, 50);
    await put(folder, "z.jpg", good);
    await log.until(TOPIC, 0, 1);
    const { reports } = camera;
    await until("all four are told", () => reports.length >= 4);
    // A good one later on: by then nothing was told twice.
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

Deno.test("folder: one in it that goes while it is looked through is no failure", async () => {
  await withFolder(async (folder) => {
    await Deno.mkdir(join(folder, "gone"));
    await put(folder, "a.jpg", await jpeg(40));
    const { readDir } = Deno;
    Deno.readDir = (path) => {
      if (String(path).endsWith("gone")) Deno.removeSync(path);
      return readDir(path);
    };
    try {
      const images = await take(new FolderSource(folder, { mode: "once" }));
      assert.equal(images.length, 1);
    } finally {
      Deno.readDir = readDir;
    }
  });
});

Deno.test("folder: none, or without images, says so", async () => {
  await withFolder(async (folder) => {
    await assert.rejects(
      take(new FolderSource(join(folder, "nowhere"), { mode: "once" })),
      /there is no such folder/,
    );
    await assert.rejects(
      take(new FolderSource(folder, { mode: "once" })),
      /holds no JPEG, PNG or WebP image/,
    );
    await assert.rejects(take(new FolderSource(folder)), /there is no record/);
  });
});

Deno.test("folder: natural order; links are followed; other kinds of images are named once", async () => {
  await withFolder(async (folder) => {
    const bytes = await jpeg(10);
    for (const n of [1, 2, 9, 10, 100]) await put(folder, `in/frame_${n}.jpg`, bytes);
    for (const file of ["in/a.bmp", "in/b.BMP", "in/c.gif", "in/scan.jfif"]) {
      await put(folder, file, bytes);
    }
    await put(folder, "elsewhere/z.jpe", bytes);
    await Deno.symlink(join(folder, "elsewhere"), join(folder, "in", "link"));
    await Deno.symlink(join(folder, "in"), join(folder, "in", "circle"));
    const reports: string[] = [];
    const images = await take(new FolderSource(join(folder, "in"), { mode: "once" }), Infinity, {
      report: (message) => reports.push(message),
    });
    assert.deepEqual(images.map(({ headers }) => headers!.file), [
      "frame_1.jpg",
      "frame_2.jpg",
      "frame_9.jpg",
      "frame_10.jpg",
      "frame_100.jpg",
      "link/z.jpe",
      "scan.jfif",
    ]);
    assert.equal(
      reports.filter((line) => /end in \.(?:bmp|gif) are left out/.test(line)).length,
      2,
    );
  });
});

Deno.test("folder: bytes behind the end are no fault, EXIF turns PNG and WebP as well", async () => {
  await withFolder(async (folder) => {
    const { default: sharp } = await import("sharp");
    const raw = { raw: { width: 30, height: 20, channels: 3 as const } };
    const picture = sharp(new Uint8Array(30 * 20 * 3), raw).withMetadata({ orientation: 6 });
    const whole = await jpeg(10);
    const files: Record<string, Uint8Array> = {
      "a.jpg": Uint8Array.from([...whole, ...new Uint8Array(40).fill(7)]),
      "b.png": Uint8Array.from([...await picture.clone().png().toBuffer(), 10]),
      "c.webp": await picture.clone().webp().toBuffer(),
      "d.jpg": whole.subarray(0, -2),
    };
    for (const [file, bytes] of Object.entries(files)) await put(folder, file, bytes);
    const images = await take(new FolderSource(folder, { mode: "once" }));
    assert.deepEqual(
      images.map(({ headers, width, height }) => `${headers!.file} ${width}x${height}`),
      ["a.jpg 32x32", "b.png 20x30", "c.webp 20x30"],
    );
    assert.deepEqual(images[0]!.value, files["a.jpg"]);
  });
});

Deno.test("folder: with --no-loop each image is published once, across runs", async () => {
  await withFolder(async (folder) => {
    using kv = await Deno.openKv(":memory:");
    const log = new MemoryLog();
    const run = () =>
      runToMemory(folder, { source: new FolderSource(folder, { mode: "once" }), kv, log });
    await put(folder, "1.jpg", await jpeg(1));
    await put(folder, "2.jpg", await jpeg(2));
    assert.equal((await run()).summary.published, 2);
    assert.equal((await run()).summary.published, 0);
    await put(folder, "3.jpg", await jpeg(3));
    await run();
    assert.deepEqual(filesIn(log), ["1.jpg", "2.jpg", "3.jpg"]);
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
      () => /Cannot look into folder .*in: No such file/.test(camera.reports.join()),
    );
    await put(folder, "in/2.jpg", await jpeg(2));
    await log.until(TOPIC, 0, 2);
    await put(folder, "in/3.jpg", await jpeg(3));
    await log.until(TOPIC, 0, 3);
    await camera.end();
    assert.deepEqual(filesIn(log), ["1.jpg", "2.jpg", "3.jpg"]);
    assert.match(camera.reports.join(), /Folder .*in is back/);
  });
});
