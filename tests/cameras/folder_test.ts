import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { join } from "node:path";
import sharp from "sharp";
import { FolderSource } from "../../cameras/sources/folder.ts";
import { inspectImage } from "../../runtime/image/inspect.ts";
import { MemoryLog } from "../support/memory_log.ts";
import { filesIn, jpeg, put } from "./folder_kit.ts";
import { runToMemory, take } from "./kit.ts";
import { withFolder } from "../support/folder.ts";

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

Deno.test("folder: flaws of images are judged as in queries, also where images are scaled", async () => {
  const good = await jpeg(10, 100);
  const restarts = Deno.readFileSync(
    new URL("../runtime/image/kernels/restarts.jpg", import.meta.url),
  );
  const marker = restarts.findIndex((byte, i) => byte === 0xff && restarts[i + 1] === 0xd0);
  const filled = Uint8Array.of(...restarts.subarray(0, marker), 0, 0, ...restarts.subarray(marker));
  await withFolder(async (folder) => {
    await put(folder, "a-end-missing.jpg", good.subarray(0, -2));
    await put(folder, "b-filled.jpg", filled);
    await put(folder, "c-cut.jpg", good.subarray(0, -30));
    await put(folder, "d-begins-late.jpg", Uint8Array.of(13, 10, ...good));
    await put(folder, "e-cut.webp", (await sharp(good).webp().toBuffer()).subarray(0, -20));
    for (const size of [undefined, { width: 32, height: 24 }]) {
      const reports: string[] = [];
      const source = new FolderSource(folder, { mode: "once", ...(size && { size }) });
      const images = await take(source, Infinity, { report: (line) => reports.push(line) });
      assert.deepEqual(images.map(({ headers }) => headers!.file), [
        "a-end-missing.jpg",
        "b-filled.jpg",
      ]);
      assert.deepEqual(reports.map((line) => line.replace(/^.*\/| (?:an|the) .*$/g, "")), [
        "c-cut.jpg was skipped: Cannot read",
        "d-begins-late.jpg was skipped: Cannot tell",
        "e-cut.webp was skipped: Cannot decode",
      ]);
    }
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
        'File,seq,Taken by,Label\r\nin/a.jpg,7,"Doe, ""J.""",violence\r\nb.jpg,,,calm\r\n',
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

Deno.test("folder: a line of labels is read in one pass, whatever it holds", async () => {
  await withFolder(async (folder) => {
    await put(folder, "a b.jpg", await jpeg(1));
    const lines = [`x${";".repeat(2_000_000)}y;`, "./a b.jpg ;, fight", ";;", "alone"];
    await put(folder, "labels.txt", new TextEncoder().encode(lines.join("\r\n")));
    const [image] = await take(new FolderSource(folder, { mode: "loop" }), 1);
    assert.equal(image!.headers!["label"], "fight");
  });
});

Deno.test("folder: labels that cannot be read are reported, and cost no image", async () => {
  const makers: Readonly<Record<string, (path: string) => Promise<unknown>>> = {
    "a folder": (path) => Deno.mkdir(path),
    "a link to itself": (path) => Deno.symlink(path, path),
    "a pipe": (path) => new Deno.Command("mkfifo", { args: [path] }).output(),
    "a file of 6 GB": (path) =>
      Deno.writeFile(path, new Uint8Array()).then(() => Deno.truncate(path, 6e9)),
  };
  for (const [name, make] of Object.entries(makers)) {
    await withFolder(async (folder) => {
      await put(folder, "a.jpg", await jpeg(1));
      await make(join(folder, "annotations.csv"));
      const reports: string[] = [];
      const report = (line: string) => void reports.push(line);
      const images = await take(new FolderSource(folder, { mode: "loop" }), 3, { report });
      assert.equal(images.length, 3, name);
      const faulty = /link|GB/.test(name);
      assert.equal(reports.length, faulty ? 1 : 0, `${name}: ${reports}`);
      if (faulty) assert.match(reports[0]!, /^Cannot read the labels in .*annotations\.csv: /);
    });
  }
});

Deno.test("folder: a file too large for an image is not read", async () => {
  await withFolder(async (folder) => {
    await put(folder, "a.jpg", await jpeg(1));
    await Deno.truncate(join(folder, "a.jpg"), 6e9);
    await put(folder, "b.jpg", await jpeg(2));
    const { records, reports } = await runToMemory(folder, { settings: { loop: false } });
    assert.equal(records.length, 1);
    assert.match(reports.join(), /a\.jpg was skipped: It has 6000000000 bytes: at most \d+ are/);
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
    await Deno.writeTextFile(join(folder, "text"), "");
    await Deno.symlink("circle", join(folder, "circle"));
    const faults = {
      "text": /it is not a folder/,
      "text/in": /a part of the path is a file/,
      "circle": /its symbolic links lead in a circle/,
    };
    for (const [name, fault] of Object.entries(faults)) {
      await assert.rejects(take(new FolderSource(join(folder, name), { mode: "once" })), fault);
    }
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
      reports.filter((line) => /end in \.(?:bmp|gif) are skipped/.test(line)).length,
      2,
    );
  });
});

Deno.test("folder: bytes behind the end are no fault, EXIF turns PNG and WebP as well", async () => {
  await withFolder(async (folder) => {
    const raw = { raw: { width: 30, height: 20, channels: 3 as const } };
    const picture = sharp(new Uint8Array(30 * 20 * 3), raw).withMetadata({ orientation: 6 });
    const whole = await jpeg(10);
    const files: Record<string, Uint8Array> = {
      "a.jpg": Uint8Array.from([...whole, ...new Uint8Array(40).fill(7)]),
      "b.png": Uint8Array.from([...await picture.clone().png().toBuffer(), 10]),
      "c.webp": await picture.clone().webp().toBuffer(),
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

Deno.test("folder: what cannot be looked into is left out and reported, the rest is taken", async () => {
  await withFolder(async (folder) => {
    const bytes = await jpeg(10);
    await put(folder, "1.jpg", bytes);
    await put(folder, "closed/2.jpg", bytes);
    await new Deno.Command("sh", {
      args: [
        "-c",
        "chmod 0 closed; cp 1.jpg \"$(printf 'b\\377d.jpg')\"; ln -s . back; ln -s c.jpg c.jpg",
      ],
      cwd: folder,
    }).output();
    const isClosed = await Array.fromAsync(Deno.readDir(join(folder, "closed"))).then(
      () => false,
      () => true,
    );
    const { log, reports } = await runToMemory(folder, { settings: { loop: false } });
    await Deno.chmod(join(folder, "closed"), 0o700);
    assert.deepEqual(filesIn(log), isClosed ? ["1.jpg"] : ["1.jpg", "closed/2.jpg"]);
    const told = reports.filter((line) => line.includes(" was skipped: "));
    assert.equal(told.length, isClosed ? 3 : 2, told.join("\n"));
    for (const why of ["is not UTF-8", "levels of symbolic links"]) {
      assert.ok(told.some((line) => line.includes(why)), told.join("\n"));
    }
  });
});
