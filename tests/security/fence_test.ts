/** Attacks from within each task: with Deno's flags and the kernel's rules that its command line gets. */
import assert from "node:assert/strict";
import { CLibrary } from "../../cli/launch/kernel.ts";
import { planLaunch } from "../../cli/launch/plan.ts";
import { ROOT } from "../../tools/paths.ts";
import { withFolder } from "../support/folder.ts";
import { launchOf, PRODUCT, run } from "./task.ts";

const ALL = ["read", "write", "net", "env", "ffi", "run"].map((kind) => `--allow-${kind}`);
const script = (name: string) => `${ROOT}/tests/security/${name}.ts`;
/** Command lines that open little: what they do not name stays shut. */
const commandLines = (data: string): Readonly<Record<string, readonly string[]>> => ({
  demo: ["--port", "8199"],
  camera: ["1", "--log", `embedded:${data}`],
  cameras: ["run", "--log", `embedded:${data}`, "--allow-read", data, "--allow-net", "127.0.0.1:9"],
  queries: ["--log", `embedded:${data}`, "--port", "off"],
  up: [`${data}/none.yaml`, "--allow-read", data, "--allow-net", "127.0.0.1:9"],
  viewer: ["--log", `embedded:${data}`, "--port", "8199"],
  checkpoints: ["inspect", "--log", `embedded:${data}`],
  log: ["check", "--log", `embedded:${data}`],
  models: ["inspect", `${data}/x.onnx`],
  evaluate: ["--model", `${data}/model.json`, "--clips", data, "--out", `${data}/report.json`],
  kafka: ["--data", data],
});

/** What succeeds all the same, and stands in docs/security.md. */
const LET_THROUGH: Readonly<Record<string, readonly string[]>> = {
  // Only root may install Java.
  kafka: ["learn who it is"],
};

async function attack(
  name: "attack" | "native",
  more: string,
  task: string,
  place: { data: string; outside: string; port?: number },
): Promise<Record<string, string>> {
  const { cache } = launchOf(task, []);
  const { code, said } = await run(
    ["-q", ...ALL, script("within"), script(name), more, task].concat(
      commandLines(place.data)[task]!,
    ),
    {
      env: {
        FRAMELANE_ATTACK: JSON.stringify({ ...place, root: ROOT }),
        FRAMELANE_CACHE: cache,
        AWS_SECRET: "x",
      },
    },
  );
  assert.equal(code, 0, said);
  return JSON.parse(said.slice(said.lastIndexOf('{"'))) as Record<string, string>;
}

/** A folder that a task may write to, and a file that it may not. */
async function withPlaces(act: (place: { data: string; outside: string }) => Promise<void>) {
  await withFolder(async (folder) => {
    const place = { data: `${folder}/data`, outside: `${folder}/outside` };
    await Deno.mkdir(place.data);
    await Deno.writeTextFile(place.outside, "untouched");
    await Deno.copyFile(`${ROOT}/clips/astronaut.jpg`, `${place.outside}.jpg`);
    const before = await stateOfCode();
    await act(place);
    assert.deepEqual(await stateOfCode(), before, "the code is as it was");
    assert.equal(await Deno.readTextFile(place.outside), "untouched");
  });
}

/** Names and times of what lies in the project's folder and in `queries/`. */
async function stateOfCode(): Promise<string[]> {
  const state: string[] = [];
  for (const folder of [ROOT, `${ROOT}/queries`]) {
    for await (const { name } of Deno.readDir(folder)) {
      if (name === ".framelane" || name === ".cache") continue;
      const { mtime, size, isFile } = await Deno.lstat(`${folder}/${name}`);
      state.push(isFile ? `${folder}/${name} ${mtime?.getTime()} ${size}` : name);
    }
  }
  return state.sort();
}

Deno.test("What bad code of a dependency, a query or a model would try is refused in every task", async (t) => {
  assert.deepEqual(Object.keys(commandLines("")).sort(), [...PRODUCT].sort());
  await withPlaces(async (place) => {
    for (const task of PRODUCT) {
      await t.step(task, async () => {
        const results = await attack("attack", "", task, place);
        assert.ok(Object.keys(results).length > 60);
        for (const [name, result] of Object.entries(results)) {
          const expected = LET_THROUGH[task]?.includes(name) ? "done" : "refused";
          assert.equal(result, expected, `${task}: ${name}`);
        }
      });
    }
  });
});

/** As root, a kernel lets programs look at others' variables: docs/security.md says so. */
const OF_ROOT = ["read another program's environment"];

Deno.test({
  name: "What bad native code would try is refused by the kernel in every task that loads any",
  ignore: (CLibrary.open()?.version ?? 0) < 6,
  fn: async (t) => {
    using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const { port } = listener.addr;
    await withPlaces(async (place) => {
      for (const task of PRODUCT) {
        if (launchOf(task, commandLines(place.data)[task]!).row.native === undefined) continue;
        await t.step(task, async () => {
          const more = "--allow-ffi --allow-read --allow-write --ignore-env";
          const results = await attack("native", more, task, { ...place, port });
          for (const [name, result] of Object.entries(results)) {
            if (OF_ROOT.includes(name) && Deno.uid() === 0) continue;
            assert.equal(result, "refused", `${task}: ${name}`);
          }
        });
      }
    });
  },
});

Deno.test("Each attack works where there is no fence", async () => {
  await withFolder(async (folder) => {
    const place = { data: `${folder}/data`, outside: `${folder}/outside`, root: `${folder}/code` };
    for (const path of [place.data, `${place.root}/queries`, `${place.root}/docs`]) {
      await Deno.mkdir(path, { recursive: true });
    }
    await Deno.writeTextFile(place.outside, "touched");
    await Deno.copyFile(`${ROOT}/clips/astronaut.jpg`, `${place.outside}.jpg`);
    for (const name of ["main.ts", "deno.jsonc"]) {
      await Deno.writeTextFile(`${place.root}/${name}`, "");
    }
    const { said } = await run([...ALL, script("native")], {
      env: { FRAMELANE_ATTACK: JSON.stringify({ ...place, port: 9 }), FRAMELANE_CACHE: folder },
    });
    assert.match(said, /"write code":"done"/);
  });
});

Deno.test("A writable folder that holds code is refused with the reason, however it is named", async () => {
  await withFolder(async (folder) => {
    await Deno.symlink(ROOT, `${folder}/link`);
    await Deno.writeTextFile(`${folder}/mine.ts`, "");
    const faultsOf = (...args: string[]) =>
      planLaunch(["queries", ...args], { base: ROOT, root: ROOT, environment: () => undefined })
        .faults;
    for (
      const sink of [
        ".",
        "..",
        "/",
        ROOT,
        "cli",
        "node_modules/x",
        "queries/../runtime",
        `${folder}/link`,
      ]
    ) {
      const [fault, ...others] = faultsOf("--sink", `images:${sink}`);
      assert.match(
        fault ?? "",
        /^Cannot write to ".*" for --sink images:.*: expected a folder without code/,
      );
      assert.deepEqual(others, []);
    }
    assert.equal(faultsOf("--sink", "events:here.jsonl").length, 1);
    assert.equal(faultsOf(`${folder}/mine.ts`, "--log", `embedded:${folder}`).length, 1);
    assert.deepEqual(faultsOf("--sink", "images:out", "--sink", `video:${folder}/video`), []);
    // The command says it, beside what else is wrong.
    const { code, said } = await run(
      [
        "-q",
        "--no-prompt",
        "--no-lock",
        "--no-npm",
        "-P=launch",
        "launch.ts",
        "queries",
        "--sink",
        "images:.",
        "--port",
        "x",
      ],
    );
    assert.equal(code, 2);
    assert.match(said, /Cannot write to .* for --sink images:\./);
    assert.match(said, /Cannot use --port "x"/);
  });
});

Deno.test("An executor may do less than its command: it listens nowhere and sees no token", async () => {
  await withFolder(async (folder) => {
    const query = `${folder}/probe.ts`;
    const tries = {
      "listen": `Deno.listen({ hostname: "127.0.0.1", port: 8199 })`,
      "see the token":
        `if (Deno.env.get("FRAMELANE_TOKEN") === undefined) throw new Error("hidden")`,
      "ask who it is": `Deno.uid()`,
      "write outside": `Deno.openSync(${JSON.stringify(query)}, { append: true })`,
    };
    await Deno.writeTextFile(
      query,
      `const said: string[] = [];
       for (const [name, text] of Object.entries(${JSON.stringify(tries)})) {
         try { new Function("Deno", text)(Deno); said.push("done: " + name); } catch (error) { void error; }
       }
       Deno.openSync("${folder}/log/own", { create: true, write: true }).close();
       throw new Error("could [" + said + "], and write its own");`,
    );
    const launch = ["-q", "--no-prompt", "--no-lock", "--no-npm", "-P=launch", "launch.ts"];
    const { said } = await run(
      [...launch, "queries", query, "--log", `embedded:${folder}/log`, "--port", "8199"],
      { env: { FRAMELANE_TOKEN: "t0ken" }, until: /and write its own/ },
    );
    assert.match(said, /could \[\], and write its own/);
  });
});
