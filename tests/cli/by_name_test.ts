/** The README's query, word for word, runs where the README says to put it, and from anywhere else. */
import assert from "node:assert/strict";
import project from "../../deno.json" with { type: "json" };
import { ROOT } from "../../tools/paths.ts";
import { records } from "../support/frames.ts";
import { withFolder } from "../support/folder.ts";
import { withLog } from "../support/log.ts";
import { LAUNCHER, run } from "../security/task.ts";

// Loaded before the tests: native libraries stay with the thread and are no test's leak.
const loaded = new Map<string, Record<string, unknown>>();
for (const name of Object.keys(project.exports)) {
  loaded.set(name, await import(`${project.name}${name.slice(1)}`));
}

async function readmeQuery(): Promise<string> {
  const [, text] = /```ts\n(import [^`]*export default query[^`]*)```/.exec(
    await Deno.readTextFile(`${ROOT}/README.md`),
  )!;
  return text!;
}

Deno.test("the README's query imports by name and runs", async () => {
  await withFolder((folder) =>
    withLog(async (url, log) => {
      await log.createTopic("VideoStreaming", 1);
      const producer = await log.producer();
      await producer.append("VideoStreaming", 0, records(1, 4));
      await producer.close();
      const text = await readmeQuery();
      assert.doesNotMatch(text, /from "\./);
      await Deno.writeTextFile(`${folder}/mine.ts`, text);
      const [, ...launch] = project.tasks.queries.split(" ").slice(1);
      const { code, said } = await run([
        ...launch,
        ...[`${folder}/mine.ts`, "--log", url, "--port", "off"],
        ...["--trigger", "available-now", "--starting-offsets", "earliest"],
        // The gate and the package's test check its types.
        "--no-check",
      ]);
      assert.equal(code, 0, said);
      assert.match(said, /mine: \d+ frames in/);
    })
  );
});

Deno.test("what a module of a user's own lacks is named, without colours for a terminal", async () => {
  await withFolder(async (folder) => {
    await Deno.writeTextFile(`${folder}/lacks.ts`, 'import "./away.ts";');
    const { code, said } = await run(
      [...LAUNCHER, "queries", `${folder}/lacks.ts`, "--log", `embedded:${folder}/log`],
      { env: { NO_COLOR: "", FRAMELANE_CHECK: "false" } },
    );
    assert.equal(code, 2, said);
    assert.match(
      said,
      /Cannot load .*lacks\.ts: Module not found .*away\.ts".*\n +at file:\S+:1:8\n/,
    );
  });
});

Deno.test("each export of the package is there, and has what authors need", () => {
  const names = {
    ".": ["query", "display", "decodeImage"],
    "./cameras": ["sourceType", "makeSource"],
    "./image": ["decodeImage"],
    "./operators": ["greyscale", "model", "motion", "track", "zones"],
    "./sinks": ["display", "images", "events", "video", "topic", "webhook"],
    "./testing": ["runQuery", "accessOf"],
  };
  assert.deepEqual(Object.keys(project.exports).sort(), Object.keys(names).sort());
  for (const [name, wanted] of Object.entries(names)) {
    const module = loaded.get(name)!;
    for (const one of wanted) assert.equal(typeof module[one], "function", `${name} ${one}`);
  }
});
