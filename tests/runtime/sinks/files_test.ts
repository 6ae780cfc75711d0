import assert from "node:assert/strict";
import { crc32 } from "node:zlib";
import type { Meta } from "../../../runtime/sinks/files/shared_generation.ts";
import { failure } from "../../../runtime/sinks/files/failure.ts";
import { Fence } from "../../../runtime/sinks/files/fence.ts";
import { laneKey } from "../../../runtime/sinks/files/lane.ts";
import { SharedFile } from "../../../runtime/sinks/files/shared_file.ts";
import { Slots } from "../../../runtime/sinks/files/slots.ts";
import { sinkContext } from "../../contracts/sink_contract_kit.ts";

async function withDirectory(work: (directory: string) => Promise<void>): Promise<void> {
  const directory = await Deno.makeTempDir();
  try {
    await work(directory);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

const encode = (text: string) => new TextEncoder().encode(text);
const at = (batch: number) => ({ batch, end: batch + 1 });

Deno.test("slots: the newest whole state counts", async () => {
  await withDirectory(async (directory) => {
    using file = await Deno.open(`${directory}/state`, { read: true, write: true, create: true });
    const slots = new Slots<number[]>(file, 64);
    assert.equal(await slots.read(), undefined);
    for (const state of [[1], [2], [3]]) await slots.write(state);
    assert.deepEqual(await new Slots(file, 64).read(), [3]);
    // The third was written to the second slot; it breaks.
    await file.seek(64 + 20, Deno.SeekMode.Start);
    await file.write(encode("["));
    await file.seek(64 + 21, Deno.SeekMode.Start);
    await file.write(encode("9"));
    const torn = new Slots<number[]>(file, 64);
    assert.deepEqual(await torn.read(), [2]);
    await torn.write([4]);
    assert.deepEqual(await new Slots(file, 64).read(), [4]);
    await assert.rejects(
      () => torn.write(Array(40).fill(1)),
      /Cannot keep a state of 81 bytes: at most 44/,
    );
  });
});

Deno.test("shared file: a writer that holds the lock for too long is left behind", async () => {
  await withDirectory(async (directory) => {
    const path = `${directory}/lines`;
    const root = `${directory}/.lines`;
    const options = { root, lockTimeoutMs: 30 };
    const shared = await SharedFile.open(path, options);
    await shared.publish("a", at(0), encode("a0\n"));
    using paused = await Deno.open(`${root}/g1/meta`, { read: true, write: true });
    using data = await Deno.open(`${root}/g1/data`, { write: true });
    await paused.lock(true);
    await shared.publish("b", at(0), encode("b0\n"));
    // It wakes up and writes where it was about to.
    await data.seek(3, Deno.SeekMode.Start);
    await data.write(encode("a1\n"));
    assert.equal(await Deno.readTextFile(path), "a0\nb0\n");
    await shared.publish("a", at(1), encode("a1\n"));
    assert.equal(await Deno.readTextFile(path), "a0\nb0\na1\n");
    await shared.close();
  });
});

Deno.test("shared file: a process that dies while it replaces the file hinders no other", async () => {
  await withDirectory(async (directory) => {
    const path = `${directory}/lines`;
    const options = { root: `${directory}/.lines`, lockTimeoutMs: 30, header: "head\n" };
    const first = await SharedFile.open(path, options);
    await first.publish("a", at(0), encode("a0\n"));
    await first.close();
    const dead = await Fence.claim(options.root);
    await dead.adopt();
    await Deno.writeTextFile(`${dead.directory}/data`, "half");
    const second = await SharedFile.open(path, options);
    await second.publish("a", at(0), encode("again\n"));
    await second.publish("a", at(1), encode("a1\n"));
    await second.close();
    assert.equal(await Deno.readTextFile(path), "head\na0\na1\n");
  });
});

Deno.test("shared file: what a crash of the machine took is known to be missing", async () => {
  await withDirectory(async (directory) => {
    const path = `${directory}/lines`;
    const options = { root: `${directory}/.lines` };
    const first = await SharedFile.open(path, options);
    await first.publish("a", at(0), encode("a0\n"));
    await first.sync();
    await first.publish("a", at(1), encode("a1\n"));
    await first.close();
    await Deno.writeTextFile(path, "a0\n\0\0\0");
    const second = await SharedFile.open(path, options);
    assert.deepEqual(await second.position("a"), { position: at(0), foreign: false });
    await second.publish("a", at(1), encode("a1\n"));
    await second.close();
    assert.equal(await Deno.readTextFile(path), "a0\na1\n");
  });
});

Deno.test("shared file: edited in place where it may not be durable, it is continued all the same", async () => {
  await withDirectory(async (directory) => {
    const path = `${directory}/lines`;
    const options = { root: `${directory}/.lines` };
    const first = await SharedFile.open(path, options);
    await first.publish("a", at(0), encode("a0\n"));
    await first.sync();
    // A batch without lines keeps what the file is known by.
    await first.publish("a", at(1), encode(""));
    await Deno.writeTextFile(path, "longer\na0\n");
    await first.publish("a", at(2), encode("a2\n"));
    // Not synced, as by a process that was killed.
    await first.close();
    await Deno.writeTextFile(path, "another\nlonger\na0\na2\n");
    const second = await SharedFile.open(path, options);
    await second.publish("a", at(2), encode("a2\n"));
    await second.publish("a", at(3), encode("a3\n"));
    await second.close();
    assert.equal(await Deno.readTextFile(path), "another\nlonger\na0\na2\na3\n");
  });
});

Deno.test("shared file: of lines that a process wrote as it died all count or none, and lines of users stay", async () => {
  for (
    const [written, ended, left] of [
      ["", "killed", "a0\na1\n"],
      ["a", "killed", "a0\na1\n"],
      ["a1\n", "killed", "a0\na1\n"],
      ["", "running", "a0\na1\n"],
      ["a", "running", "a0\na1\n"],
      ["a1\n", "running", "a0\na1\n"],
      ["a1\nof a user\n", "running", "a0\na1\nof a user\n"],
      ["of a user\n", "running", "a0\nof a user\na1\n"],
      ["of a user\n", "in good order", "a0\nof a user\na1\n"],
      ["", "in good order", "a0\na1\n"],
      // What a crash of the machine left of lines that come again looks the same.
      ["of a user\n", "killed", "a0\na1\n"],
    ]
  ) {
    await withDirectory(async (directory) => {
      const path = `${directory}/lines`;
      const options = { root: `${directory}/.lines` };
      const first = await SharedFile.open(path, options);
      await first.publish("a", at(0), encode("a0\n"));
      if (ended === "in good order") await first.sync(true);
      if (ended !== "running") await first.close();
      using meta = await Deno.open(`${options.root}/g1/meta`, { read: true, write: true });
      const slots = new Slots<Meta>(meta, 1 << 20);
      const crc = crc32("a1\n"), tail = crc32("a0\na1\n");
      const next = { size: 6, lanes: { a: at(1) }, crc, tail };
      const known = (await slots.read())!;
      if (ended !== "in good order") await slots.write({ ...known, next });
      await Deno.writeTextFile(path, written!, { append: true });
      const second = ended === "running" ? first : await SharedFile.open(path, options);
      await second.publish("a", at(1), encode("a1\n"));
      // An edited file has a description of its own.
      if (written === "") assert.equal((await slots.read())?.clean ?? false, false);
      await second.close();
      assert.equal(await Deno.readTextFile(path), left, `${written} ${ended}`);
    });
  }
});

Deno.test("shared file: a damaged description is an error that says what to do", async () => {
  await withDirectory(async (directory) => {
    const options = { root: `${directory}/.lines` };
    await (await SharedFile.open(`${directory}/lines`, options)).close();
    await Deno.writeTextFile(`${options.root}/g1/meta`, "nonsense");
    await assert.rejects(
      () => SharedFile.open(`${directory}/lines`, options),
      /g1\/meta is damaged. Move the file and that folder away to start a new one/,
    );
  });
});

Deno.test("lane: its name fits into a folder, however long the topic's is, and is its own", () => {
  assert.equal(laneKey(sinkContext(), "-hook"), "test-VideoStreaming-0-hook");
  const topic = "t".repeat(249);
  const keys = [0, 1].flatMap((partition) =>
    ["", "-a", "-b"].map((more) => laneKey(sinkContext({ topic, partition }), more))
  );
  assert.deepEqual(keys.map((key) => key.length), Array(6).fill(255));
  assert.equal(new Set(keys).size, 6);
});

Deno.test("failure: the usual ones are described in words", () => {
  const cases: [unknown, string, RegExp][] = [
    [
      Object.assign(new Error("x"), { code: "ENOSPC" }),
      "DISK_FULL",
      /^Cannot write: the disk is full$/,
    ],
    [new Error("Disk quota exceeded (os error 122)"), "DISK_FULL", /quota/],
    [new Error("There is not enough space on the disk. (os error 112)"), "DISK_FULL", /is full/],
    [
      new Error("Too many open files (os error 24)"),
      "NO_HANDLES",
      /out of file handles.*ulimit -n/,
    ],
    [Object.assign(new Error("x"), { code: "EROFS" }), "NOT_WRITABLE", /read-only/],
    [
      new Deno.errors.PermissionDenied("Operation not permitted (os error 1): link 'a' -> 'b'"),
      "NOT_WRITABLE",
      /the file system has no hard links/,
    ],
    [
      new Deno.errors.NotCapable("Requires write access"),
      "NOT_WRITABLE",
      /Deno may not write there/,
    ],
    [new Deno.errors.PermissionDenied("x"), "NOT_WRITABLE", /no permission/],
    [new Deno.errors.NotADirectory("x"), "NOT_WRITABLE", /a file, not a folder/],
    [new Deno.errors.IsADirectory("x"), "NOT_WRITABLE", /it is a folder/],
    [new Error("Odd"), "FAILED", /^Cannot write: Odd$/],
    ["odd", "FAILED", /^Cannot write: odd was thrown$/],
  ];
  for (const [error, code, message] of cases) {
    const found = failure("write", error);
    assert.equal(found.code, code);
    assert.equal(found.retryable, ["DISK_FULL", "NO_HANDLES"].includes(code));
    assert.match(found.message, message);
    assert.equal(failure("again", found), found);
  }
});
