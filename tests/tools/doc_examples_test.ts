/** What the pages tell people to type is accepted, where they type it: in a clone. */
import assert from "node:assert/strict";
import { pathToFileURL } from "node:url";
import { planLaunch } from "../../cli/launch/plan.ts";
import { parseCommand, UsageError } from "../../cli/command.ts";
import { commands } from "../../cli/registry.ts";
import { resolvePlan } from "../../cli/up/resolve.ts";
import { join, ROOT } from "../../tools/paths.ts";

/** Each example of a language on the pages, with the page's name. */
async function* examples(language: string): AsyncGenerator<readonly [page: string, text: string]> {
  const pages = ["README.md"];
  for await (const { name } of Deno.readDir(join(ROOT, "docs"))) {
    if (name.endsWith(".md")) pages.push(`docs/${name}`);
  }
  for (const page of pages) {
    const text = await Deno.readTextFile(join(ROOT, page));
    for (
      const [, , block] of text.matchAll(new RegExp("^(```+)" + language + "\n(.*?)^\\1", "gms"))
    ) {
      yield [page, block!];
    }
  }
}

const nothing = () => undefined;
const faultsOfRun = (words: readonly string[]) =>
  planLaunch(words, { base: ROOT, root: ROOT, environment: nothing }).faults;

Deno.test("Command lines on the pages are accepted", async () => {
  const faults: string[] = [];
  let seen = 0;
  for await (const [page, block] of examples("sh")) {
    for (const line of block.replaceAll("\\\n", " ").split("\n")) {
      const [, name = "", rest = ""] = /\bdeno task (?:-q )?(\w+)([^#|>&]*)/.exec(line) ?? [];
      if (!Object.hasOwn(commands, name) || /["'$…[]|\bup\b/.test(rest)) continue;
      const words = rest.split(/\s+/).filter((word) => word !== "");
      seen++;
      try {
        const command = await commands[name]!.load();
        // A query or model of the reader's own is not here.
        await parseCommand({ ...command, check: () => [] }, words, nothing);
        faults.push(...faultsOfRun([name, ...words]).map((fault) => `${page}: ${fault}`));
      } catch (error) {
        if (!(error instanceof UsageError)) throw error;
        faults.push(`${page}: ${line.trim()}: ${error.message}`);
      }
    }
  }
  assert.deepEqual(faults, []);
  assert.ok(seen > 30, `${seen} were found`);
});

Deno.test("Files for up on the pages are accepted", async () => {
  let seen = 0;
  for await (const [page, block] of examples("yaml")) {
    if (!/^cameras:/m.test(block)) continue;
    seen++;
    const plan = await resolvePlan(block, { file: page, environment: () => "x" });
    const sinks = plan.queries.flatMap(({ sinks = [] }) => sinks);
    assert.deepEqual(faultsOfRun(["queries", ...sinks.map((sink) => `--sink=${sink}`)]), [], page);
  }
  assert.ok(seen >= 2, `${seen} were found`);
});

Deno.test("Scripted tests on the pages pass", async () => {
  const folder = await Deno.makeTempDir();
  let seen = 0;
  try {
    for await (const [page, block] of examples("ts")) {
      if (!block.includes("@framelane/framelane/testing")) continue;
      const file = join(folder, `${seen++}.ts`);
      await Deno.writeTextFile(file, block);
      await assert.doesNotReject(import(pathToFileURL(file).href), page);
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
  assert.ok(seen > 0);
});
