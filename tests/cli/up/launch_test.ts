/** What the launcher lets a run of `framelane.yaml` touch. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { planLaunch } from "../../../cli/launch/plan.ts";
import { withFolder } from "../../support/folder.ts";
import { FramelaneProcess, ROOT } from "../../support/framelane.ts";

const GREY = "queries: [{ query: greyscale, sinks: [display] }]\n";

Deno.test("a run may write where its file says, and nowhere else", async () => {
  await withFolder(async (folder) => {
    const base = await Deno.realPath(folder);
    await Deno.writeTextFile(
      join(base, "mine.yaml"),
      `log: embedded:data
viewer: { port: 8123 }
queries: [{ query: greyscale, sinks: ["images:out", "events:found/e.jsonl"] }]
`,
    );
    const plan = (...argv: string[]) =>
      planLaunch(["up", ...argv], { base, root: ROOT.slice(0, -1), environment: () => undefined });
    const { access } = plan("--allow-read", "other.yaml", "mine.yaml", "--check");
    const written = access.write.map(({ path }) => path).filter((path) =>
      !path.includes("cameras.kv")
    );
    assert.deepEqual([...new Set(written)].sort(), [
      join(base, ".framelane"),
      join(base, "data"),
      join(base, "found"),
      join(base, "out"),
    ]);
    assert.ok(access.listens.has("127.0.0.1:8123"));
    assert.ok(!plan("none.yaml").access.write.some(({ path }) => path.endsWith("/out")));
  });
});

Deno.test("an edit that writes elsewhere changes nothing and says so", async () => {
  await withFolder(async (folder) => {
    const file = join(folder, "framelane.yaml");
    const head = `log: embedded:${folder}/log\nstate: ${folder}/cameras.kv\nviewer: off\n`;
    await Deno.writeTextFile(file, head + GREY);
    const denied = [`--deny-write=${folder}/out`];
    const process = new FramelaneProcess(["up", file], { cwd: folder, permissions: denied });
    const said = (text: string) => process.said.some((line) => line.includes(text));
    try {
      await process.until("the start", () => said("edits take effect"));
      await Deno.writeTextFile(
        file,
        head + GREY.replace("display", `"images:${folder}/out"`),
      );
      await process.until("the fault", () => said("all continues as before"));
      assert.ok(said("Cannot write to"), process.output());
      assert.ok(!said("query greyscale restarts"), process.output());
      assert.equal(await process.stop(), 0, process.output());
    } finally {
      await process.kill();
    }
  });
});
