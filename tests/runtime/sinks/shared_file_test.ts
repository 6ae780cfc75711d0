// A file of lines that several lanes use at the same moment.
import assert from "node:assert/strict";
import { Fence } from "../../../runtime/sinks/files/fence.ts";
import { advance } from "../../../runtime/sinks/files/shared_generation.ts";
import { SharedFile } from "../../../runtime/sinks/files/shared_file.ts";
import { withFolder } from "../../support/folder.ts";

const encode = (text: string) => new TextEncoder().encode(text);
const at = (batch: number) => ({ batch, end: batch + 1 });

Deno.test("shared file: of two that make it at once, neither takes it for a user's", async () => {
  await withFolder(async (directory) => {
    const [path, root] = [`${directory}/lines`, `${directory}/.root`];
    const { mkdir, rename, remove } = Deno;
    const [halfway, goOn] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    let other: Promise<boolean> | undefined;
    try {
      Deno.mkdir = async (folder, options) => {
        if (folder === root) {
          Deno.mkdir = mkdir;
          other = advance(path, root, new Uint8Array());
          await halfway.promise;
        }
        await mkdir(folder, options);
      };
      Deno.rename = async (from, to) => {
        if (to === `${root}/g1/meta`) {
          halfway.resolve();
          await goOn.promise;
        }
        await rename(from, to);
      };
      Deno.remove = async (folder, options) => {
        await remove(folder, options);
        goOn.resolve();
      };
      const file = await SharedFile.open(path, { root });
      assert.deepEqual(await file.position("lane"), { foreign: false });
      assert.equal(await other, true);
      await file.close();
    } finally {
      Object.assign(Deno, { mkdir, rename, remove });
      goOn.resolve();
      await other;
    }
  });
});

Deno.test("shared file: a thousand lanes that end together make it durable together", async () => {
  await withFolder(async (directory) => {
    const [path, options] = [`${directory}/lines`, { root: `${directory}/.root` }];
    const file = await SharedFile.open(path, options);
    const lanes = Array.from({ length: 1000 }, (_, index) => `lane-${index}`);
    await Promise.all(lanes.map((lane) => file.publish(lane, at(0), encode(`${lane}\n`))));
    const { syncData } = Deno.FsFile.prototype;
    let syncs = 0;
    Deno.FsFile.prototype.syncData = function () {
      syncs++;
      return syncData.call(this);
    };
    try {
      await Promise.all(lanes.map((_, index) => file.sync(index === 7)));
      // Of the lines, and of what describes them.
      assert.equal(syncs, 2);
      await file.sync();
      assert.equal(syncs, 4);
    } finally {
      Deno.FsFile.prototype.syncData = syncData;
    }
    await file.close();
    assert.equal((await Deno.readTextFile(path)).trimEnd().split("\n").length, 1000);
  });
});

Deno.test("shared file: one that copies a large file for long is waited for", async () => {
  await withFolder(async (directory) => {
    const [path, root] = [`${directory}/lines`, `${directory}/.root`];
    await Deno.writeTextFile(path, "a user's\n");
    const { copyFile, statSync } = Deno;
    const [copying, goOn] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    let looks = 0;
    try {
      Deno.copyFile = async (from, to) => {
        Deno.copyFile = copyFile;
        copying.resolve();
        await goOn.promise;
        await copyFile(from, to);
      };
      const other = advance(path, root, new Uint8Array(), { after: 0 }, 5);
      await copying.promise;
      Deno.statSync = (folder) => {
        // By then it has waited for longer than its time limit.
        if (++looks === 40) goOn.resolve();
        return statSync(folder);
      };
      const file = await SharedFile.open(path, { root, lockTimeoutMs: 500 });
      goOn.resolve();
      assert.equal(await other, true);
      await file.close();
      assert.equal(await Deno.readTextFile(path), "a user's\n");
    } finally {
      Object.assign(Deno, { copyFile, statSync });
      goOn.resolve();
    }
  });
});

/** A user adds a line after the last writer, and of two owners that come then the first dies at once. */
async function keepsUsersLine(path: string, root: string): Promise<void> {
  await Deno.writeTextFile(path, "a user's\n", { append: true });
  await (await Fence.claim(root)).adopt();
  const second = await SharedFile.open(path, { root, lockTimeoutMs: 30 });
  await second.publish("lane", at(1), encode("its next\n"));
  await second.close();
  assert.equal(await Deno.readTextFile(path), "its own\na user's\nits next\n");
}

Deno.test("shared file: one that dies while it takes a user's lines over costs none of them", async () => {
  await withFolder(async (directory) => {
    const [path, root] = [`${directory}/lines`, `${directory}/.root`];
    const first = await SharedFile.open(path, { root });
    await first.publish("lane", at(0), encode("its own\n"));
    await first.sync(true);
    await first.close();
    await keepsUsersLine(path, root);
  });
});

Deno.test("shared file: of lanes that end one after the other, the last one leaves it clean", async () => {
  await withFolder(async (directory) => {
    const [path, root] = [`${directory}/lines`, `${directory}/.root`];
    const first = await SharedFile.open(path, { root });
    await first.publish("lane", at(0), encode("its own\n"));
    const { syncData } = Deno.FsFile.prototype;
    let second: Promise<void> | undefined;
    Deno.FsFile.prototype.syncData = function () {
      second ??= first.sync(true);
      return syncData.call(this);
    };
    try {
      await first.sync(true);
      // The second one waits for its turn, and is not to take this one's word from it.
      await Promise.all([second, first.sync(true)]);
    } finally {
      Deno.FsFile.prototype.syncData = syncData;
    }
    await first.close();
    await keepsUsersLine(path, root);
  });
});
