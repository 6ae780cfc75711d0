import assert from "node:assert/strict";
import project from "../../deno.json" with { type: "json" };
import { importFaults, type Lock, lockFaults } from "../../tools/lock.ts";
import { join, ROOT } from "../../tools/paths.ts";

const imports = { hono: "npm:hono@4.13.19" };
const lock: Lock = {
  version: "5",
  specifiers: { "npm:hono@4.13.19": "4.13.19" },
  npm: { "hono@4.13.19": { integrity: "sha512-x" } },
};

Deno.test("This project's dependencies have exact versions, from npm alone", async () => {
  const locked = JSON.parse(await Deno.readTextFile(join(ROOT, "deno.lock"))) as Lock;
  assert.deepEqual(importFaults(project.imports), []);
  assert.deepEqual(lockFaults(locked, project.imports), []);
});

Deno.test("A range, a tag, another registry: each is a fault", () => {
  for (
    const target of [
      "npm:hono",
      "npm:hono@^4",
      "npm:hono@4.13",
      "npm:hono@latest",
      "https://x/y.ts",
    ]
  ) {
    assert.equal(importFaults({ hono: target }).length, 1, target);
  }
  assert.deepEqual(importFaults(imports), []);
});

Deno.test("A lock with gaps or other registries is a fault", () => {
  assert.deepEqual(lockFaults(lock, imports), []);
  assert.equal(lockFaults({ ...lock, remote: {} }, imports).length, 1);
  assert.equal(lockFaults({ ...lock, specifiers: {} }, imports).length, 1);
  assert.equal(lockFaults({ ...lock, npm: { "hono@4.13.19": {} } }, imports).length, 1);
  const other = { ...lock.specifiers, [`${"js" + "r"}:@std/path@1`]: "1.0.0" };
  assert.equal(lockFaults({ ...lock, specifiers: other }, imports).length, 1);
});
