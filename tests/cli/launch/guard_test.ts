/** What a run may write, and with which rights its folders are made. */
import assert from "node:assert/strict";
import type { Access } from "../../../cli/launch/access.ts";
import { writableCode } from "../../../cli/launch/guard.ts";
import { planLaunch, writtenFolders } from "../../../cli/launch/plan.ts";
import { realPath } from "../../../cli/launch/paths.ts";
import { join, ROOT } from "../../../tools/paths.ts";
import { withFolder } from "../../support/folder.ts";

Deno.test("code behind a symbolic link is code, and a database writes to its whole folder", async () => {
  await withFolder(async (folder) => {
    const base = await Deno.realPath(folder);
    const [root, elsewhere] = [join(base, "code"), join(base, "elsewhere")];
    await Deno.mkdir(root);
    await Deno.mkdir(elsewhere);
    await Deno.symlink(elsewhere, join(root, "queries"));
    const faults = (path: string, kind?: "database") => {
      const access = { write: [{ path, why: "--state", kind }], code: new Set() };
      return writableCode(access as unknown as Access, { root, authors: [], others: [] });
    };
    assert.equal(faults(join(elsewhere, "out")).length, 1);
    assert.equal(faults(join(base, "out")).length, 0);
    assert.equal(faults(join(root, "cameras.kv")).length, 0);
    assert.equal(faults(join(root, "cameras.kv"), "database").length, 1);
  });
});

Deno.test("a backslash in the name of a folder is a letter of it", {
  ignore: Deno.build.os === "windows",
}, async () => {
  await withFolder(async (folder) => {
    const named = join(await Deno.realPath(folder), "back\\slash");
    await Deno.mkdir(named);
    await Deno.symlink(named, join(folder, "link"));
    assert.equal(realPath(join(folder, "link")), named);
    assert.equal(realPath(join(folder, "link/new")), `${named}/new`);
  });
});

Deno.test("the folder of a log is made for its owner alone, since it holds pictures", async () => {
  await withFolder((base) => {
    const { access } = planLaunch(
      ["camera", "1", "--log", "embedded:log", "--state", "state/cameras.kv"],
      { base, root: ROOT, environment: () => undefined },
    );
    const modes = Object.fromEntries(
      writtenFolders(access).map(({ path, mode }) => [path.slice(base.length), mode]),
    );
    assert.deepEqual(modes, { "/log": 0o700, "/state": 0o777 });
    return Promise.resolve();
  });
});
