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

Deno.test("a run may read and reach what its file names, and its executors no camera of it", async () => {
  await withFolder(async (folder) => {
    const base = await Deno.realPath(folder);
    await Deno.symlink("real.yaml", join(base, "link.yaml"));
    await Deno.writeTextFile(
      join(base, "real.yaml"),
      `log: embedded:data
viewer: off
cameras:
  - { number: 1, source: films/a.mp4 }
  - { number: 2, source: "http://cam.example:81/x" }
queries: [{ query: detect, model: mine/model.json, sinks: ["webhook:https://alarm.example/"] }]
`,
    );
    const plan = (...argv: string[]) =>
      planLaunch(["up", ...argv], { base, root: ROOT.slice(0, -1), environment: () => undefined });
    const { access, executors, flags } = plan("real.yaml");
    assert.equal(access.everything, false);
    assert.deepEqual([...access.net ?? []], ["cam.example:81", "alarm.example:443"]);
    const named = ["films/a.mp4", "mine", "real.yaml"].map((name) => join(base, name));
    assert.deepEqual([...access.read].sort(), named);
    assert.ok(!flags.some((flag) => flag === "--allow-read" || flag === "--allow-net"));
    const { read, net } = executors!.always;
    assert.ok(read !== true && read.includes(named[1]!) && !read.includes(named[0]!));
    assert.deepEqual([net, executors!.ifNeeded.net], [[], ["alarm.example:443"]]);
    assert.ok(plan("link.yaml").access.read.has(base), "the link may lead elsewhere later");
  });
});

Deno.test("an edit that names what is closed changes nothing and says what to do", async () => {
  await withFolder(async (folder) => {
    const file = join(folder, "framelane.yaml");
    const head = `log: embedded:${folder}/log\nstate: ${folder}/cameras.kv\nviewer: off\n`;
    await Deno.writeTextFile(file, head + GREY);
    const denied = ["write=out", "read=films", "net=cam.example"].map((one) =>
      `--deny-${one.startsWith("net") ? one : one.replace("=", `=${folder}/`)}`
    );
    const process = new FramelaneProcess(["up", file], { cwd: folder, permissions: denied });
    const said = (text: string) => process.said.some((line) => line.includes(text));
    try {
      await process.until("the start", () => said("edits take effect"));
      await Deno.writeTextFile(
        file,
        head + GREY.replace("display", `"images:${folder}/out"`) +
          `cameras: [{ number: 1, source: ${folder}/films }, { number: 2, source: "http://cam.example/" }]\n`,
      );
      await process.until("the fault", () => said("what runs continues as before"));
      for (const fault of [`write to "${folder}/out"`, `read "${folder}/films"`]) {
        assert.ok(said(`Cannot ${fault}: this run may access only`), process.output());
      }
      assert.ok(said('Cannot reach "cam.example:80": '), process.output());
      assert.ok(!said("query greyscale restarts"), process.output());
      assert.equal(await process.stop(), 0, process.output());
    } finally {
      await process.kill();
    }
  });
});

Deno.test("Deno's cache is found without a variable that names it", () => {
  const cache = (environment: (name: string) => string | undefined) =>
    planLaunch(["queries"], { base: "/none", root: ROOT.slice(0, -1), environment }).cache;
  assert.equal(cache(() => undefined), cache((name) => Deno.env.get(name)));
  const { Command } = Deno;
  try {
    const failures = [() => ({ success: false, stdout: new Uint8Array() }), () => {
      throw new Deno.errors.NotFound("no deno");
    }];
    for (const outputSync of failures) {
      Deno.Command = class {
        outputSync = outputSync;
      } as unknown as typeof Command;
      assert.match(cache(() => undefined), /^\/[^/]+.*\bdeno$/i);
    }
  } finally {
    Deno.Command = Command;
  }
});

Deno.test("types are checked as the switch says, wherever it stands", () => {
  const checked = (given: string | undefined, ...argv: string[]) =>
    planLaunch(["queries", "./mine.ts", ...argv], {
      base: "/none",
      root: ROOT.slice(0, -1),
      environment: (name) => name === "FRAMELANE_CHECK" ? given : undefined,
    }).queries.length > 0;
  for (const off of ["false", "0", "no"]) {
    assert.deepEqual([checked(off), checked(off, "--check")], [false, true]);
  }
  for (const on of [undefined, "", "true", "1"]) assert.equal(checked(on), true);
  assert.deepEqual([checked("true", "--no-check"), checked(undefined, "--", "--no-check")], [
    false,
    true,
  ]);
});

Deno.test("a path with a comma is refused by name: Deno would take it for two", () => {
  const { faults, flags } = planLaunch(["queries", "--sink", "video:/none/v, d"], {
    base: "/none",
    root: ROOT.slice(0, -1),
    environment: () => undefined,
  });
  assert.deepEqual(faults, ['Cannot open "/none/v, d": expected a path without a comma']);
  assert.ok(!flags.join().includes("/none/v"));
});
