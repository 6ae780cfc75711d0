/** `docs/security.md` says what shows each claim: the tests that it names are there. */
import assert from "node:assert/strict";
import { repositoryFiles } from "../../tools/words.ts";
import { join, ROOT } from "../../tools/paths.ts";
import { tasks } from "./task.ts";

const text = await Deno.readTextFile(join(ROOT, "docs/security.md"));

/** Rows of the table whose head begins so, each as its cells. */
function rowsOf(head: string): string[][] {
  const lines = text.split("\n");
  const start = lines.findIndex((line) => line.startsWith(`| ${head} `));
  assert.ok(start >= 0, head);
  const end = lines.findIndex((line, i) => i > start && !line.startsWith("|"));
  return lines.slice(start + 2, end).map((line) => line.split("|").slice(1, -1));
}

Deno.test("Each claim names what attacks it, and each test that is named is there", async () => {
  const files = await repositoryFiles();
  const named = (cell: string) =>
    [...cell.matchAll(/`([\w/*]*_test\.ts)`/g)].map(([, name]) => name!);
  const exists = (name: string) => {
    const pattern = new RegExp(`(^tests/.*|/|^)${name.replaceAll("*", "[^/]*")}$`);
    return files.some((file) => pattern.test(file));
  };
  const all = named(text);
  assert.ok(all.length > 20);
  assert.deepEqual(all.filter((name) => !exists(name)), []);
  for (const head of ["claim", "place"]) {
    const rows = rowsOf(head);
    assert.ok(rows.length > 5);
    for (const [claim, shows] of rows) {
      const shown = named(shows!).length > 0 ||
        /canary test|the table below|read from a file/.test(shows!);
      assert.ok(shown, `${claim}: ${shows}`);
    }
  }
  for (const [, task] of text.matchAll(/`deno task ([\w:]+)/g)) {
    assert.ok(task! in tasks, task);
  }
  for (const [, file] of text.matchAll(/`(deploy\/[\w@.]+)`/g)) {
    assert.ok(files.includes(file!), file);
  }
});
