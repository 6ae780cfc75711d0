// A file of lines that several lanes use at the same moment.
import assert from "node:assert/strict";
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
