import assert from "node:assert/strict";
import { Fence } from "../../../runtime/sinks/files/fence.ts";
import { advance } from "../../../runtime/sinks/files/shared_generation.ts";
import { withFolder } from "../../support/folder.ts";

Deno.test("fence: only one of many gets a generation, and a successor stops all before it", async () => {
  await withFolder(async (directory) => {
    const root = `${directory}/root`;
    const fences = await Promise.all([1, 2, 3, 4].map(() => Fence.claim(root)));
    assert.deepEqual(fences.map(({ generation }) => generation).sort(), [1, 2, 3, 4]);
    fences.sort((a, b) => a.generation - b.generation);
    const [first, , , last] = fences as [Fence, Fence, Fence, Fence];
    await Deno.writeTextFile(`${first.directory}/file`, "old");
    await Deno.writeTextFile(`${last.directory}/file`, "new");
    await last.publish("file", `${directory}/visible`);
    const previous = await last.adopt();
    assert.deepEqual(previous.map((path) => path.split("/").at(-1)), [
      "previous-3",
      "previous-2",
      "previous-1",
    ]);
    await assert.rejects(() => first.publish("file", `${directory}/visible`), {
      code: "TAKEN_OVER",
    });
    assert.equal(first.held, false);
    assert.equal(await Deno.readTextFile(`${directory}/visible`), "new");
    // A successor finds what an earlier one had adopted and not forgotten.
    const next = await Fence.claim(root);
    assert.equal((await next.adopt()).length, 4);
    await next.confirm();
    assert.deepEqual(await next.adopt(), []);
  });
});

Deno.test("fence: a former owner's file that is kept open elsewhere, as on NFS, is left for the next owner", async () => {
  await withFolder(async (root) => {
    await Fence.claim(root);
    await Fence.claim(root);
    const { remove } = Deno;
    const codes = ["EBUSY", "ENOTEMPTY"];
    Deno.remove = () => Promise.reject(Object.assign(new Error("In use"), { code: codes.shift() }));
    try {
      const second = await Fence.claim(root);
      assert.equal((await second.adopt()).length, 2);
      await second.confirm();
    } finally {
      Deno.remove = remove;
    }
    const third = await Fence.claim(root);
    assert.equal((await third.adopt()).length, 3);
    await third.confirm();
    assert.deepEqual([...Deno.readDirSync(third.directory)], []);
  });
});

Deno.test("shared file: a file system that shows hard links as other files is refused, not tried for ever", async () => {
  await withFolder(async (folder) => {
    const { stat } = Deno;
    Deno.stat = async (path) => {
      const info = await stat(path);
      return `${path}`.endsWith("/visible") ? { ...info, ino: -1 } : info;
    };
    try {
      await assert.rejects(advance(`${folder}/file`, `${folder}/root`, new Uint8Array()), {
        code: "NOT_WRITABLE",
        message: /Cannot write .*file: the file system shows a hard link as another file/,
      });
    } finally {
      Deno.stat = stat;
    }
  });
});
