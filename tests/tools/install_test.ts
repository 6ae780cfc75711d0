import assert from "node:assert/strict";
import project from "../../deno.json" with { type: "json" };
import {
  codeIsStale,
  COMMANDS,
  compiledMark,
  INSTALLED,
  packagesAreMissing,
  packagesNeedWork,
} from "../../cli/launch/packages.ts";
import { dirname, join, ROOT } from "../../tools/paths.ts";
import { withFolder } from "../support/folder.ts";

/** Makes an empty file that was written at a second of 1970. */
async function written(path: string, second: number): Promise<void> {
  await Deno.mkdir(dirname(path), { recursive: true });
  await Deno.writeTextFile(path, "");
  await Deno.utime(path, second, second);
}

Deno.test("Packages are installed where there are none, and again once the lock has changed", async () => {
  await withFolder(async (root) => {
    const lock = join(root, "deno.lock");
    assert.equal(packagesAreMissing(root), false, "a package has no lock");
    await written(lock, 100);
    assert.equal(packagesAreMissing(root), true, "a fresh clone");
    await Deno.mkdir(join(root, "node_modules/.deno"), { recursive: true });
    assert.equal(packagesAreMissing(root), true, "an install that was interrupted");
    await written(join(root, INSTALLED), 101);
    assert.equal(packagesAreMissing(root), false, "installed");
    assert.equal(packagesNeedWork(root), false, "installed");
    await Deno.mkdir(join(root, COMMANDS));
    assert.equal(packagesNeedWork(root), true, "after deno install by hand");
    await written(lock, 102);
    assert.equal(packagesAreMissing(root), true, "the lock has changed");
  });
});

Deno.test("Code is compiled once after git has changed it, and where Deno's cache is empty", async () => {
  await withFolder(async (root) => {
    const cache = join(root, "cache");
    assert.equal(codeIsStale(root, cache), true, "an empty cache");
    await written(compiledMark(root, cache), 100);
    assert.equal(codeIsStale(root, cache), false, "compiled, and no clone");
    await written(join(root, ".git/logs/HEAD"), 101);
    assert.equal(codeIsStale(root, cache), true, "git pull");
    await written(compiledMark(root, cache), 102);
    assert.equal(codeIsStale(root, cache), false, "compiled");
  });
});

Deno.test("Deno marks an install that is whole where it is looked for", async () => {
  assert((await Deno.stat(join(ROOT, INSTALLED))).isFile);
});

Deno.test("No task reads the commands of packages, which it does not use", () => {
  assert.throws(() => Deno.statSync(join(ROOT, COMMANDS)), Deno.errors.NotFound);
});

Deno.test("Each task installs what is missing before it loads anything", () => {
  assert.equal(project.nodeModulesDir, "manual", "deno task would install, with a line for each");
  for (const command of Object.values(project.tasks)) {
    assert.match(command, / launch\.ts | --preload tools\/install\.ts | tools\/install\.ts && /);
  }
});
