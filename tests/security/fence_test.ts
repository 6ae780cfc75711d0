/** Attacks from within each task: with Deno's flags and the kernel's rules that its command line gets. */
import assert from "node:assert/strict";
import { CLibrary } from "../../cli/launch/kernel.ts";
import { libraryFiles } from "../../cli/launch/native.ts";
import { planLaunch } from "../../cli/launch/plan.ts";
import { openLog } from "../../runtime/log/open.ts";
import { freePort } from "../../tools/kafka/probe.ts";
import { ROOT } from "../../tools/paths.ts";
import { withFolder } from "../support/folder.ts";
import { records } from "../support/frames.ts";
import { type Places, withPlaces } from "./places.ts";
import { LAUNCHER, launchOf, PRODUCT, run } from "./task.ts";

const ALL = ["read", "write", "net", "env", "ffi", "run"].map((kind) => `--allow-${kind}`);
const script = (name: string) => `${ROOT}/tests/security/${name}.ts`;
/** Command lines that open little: what they do not name stays shut. */
const commandLines = (data: string): Readonly<Record<string, readonly string[]>> => ({
  demo: ["--port", "8199"],
  camera: ["1", "--log", `embedded:${data}`],
  cameras: ["run", "--log", `embedded:${data}`, "--allow-read", data, "--allow-net", "127.0.0.1:9"],
  queries: ["--log", `embedded:${data}`, "--port", "off"],
  up: [`${data}/none.yaml`],
  viewer: ["--log", `embedded:${data}`, "--port", "8199"],
  checkpoints: ["inspect", "--log", `embedded:${data}`],
  log: ["check", "--log", `embedded:${data}`],
  models: ["inspect", `${data}/x.onnx`],
  // A report of which nothing is there yet, beside files that the run may not touch.
  evaluate: ["--model", `${data}/model.json`, "--clips", data, "--out", `${data}/../report.json`],
  kafka: ["--data", data],
});

/** What succeeds all the same, and stands in docs/security.md. */
const LET_THROUGH: Readonly<Record<string, readonly string[]>> = {
  // Only root may install Java; a shell ends Java with what started it.
  kafka: ["learn who it is", "run a shell"],
};

async function attack(
  name: "attack" | "native",
  more: string,
  task: string,
  place: Places,
): Promise<Record<string, string>> {
  const { code, said } = await run(
    ["-q", ...ALL, script("within"), script(name), more, task].concat(
      commandLines(place.data)[task]!,
    ),
    {
      env: {
        FRAMELANE_ATTACK: JSON.stringify(place),
        AWS_SECRET: "x",
      },
    },
  );
  assert.equal(code, 0, said);
  return JSON.parse(said.slice(said.lastIndexOf('{"'))) as Record<string, string>;
}

/** Places, and a look at the code before and after. */
async function withCode(act: (place: Places) => Promise<void>) {
  await withPlaces(async (place) => {
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
  await withCode(async (place) => {
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

for (const task of ["queries", "up"]) {
  Deno.test(`What bad code would try is refused in an executor (${task})`, async () => {
    await withCode(async (place) => {
      const { data } = place;
      const own = `${data}-own`;
      await Deno.mkdir(own);
      const attack = `${script("attack")}?${encodeURIComponent(JSON.stringify(place))}`;
      // What it prints comes before the thread ends; `display` is a sink that opens nothing.
      await Deno.writeTextFile(
        `${own}/bad.ts`,
        `import { display, query } from ${JSON.stringify(`${ROOT}/runtime/mod.ts`)};
         await import(${JSON.stringify(`file://${attack}`)});
         export default query("bad").readStream().writeStream(display());`,
      );
      await Deno.writeTextFile(
        `${own}/f.yaml`,
        `log: embedded:${data}\nstate: ${data}/state.kv\nviewer: off\nqueries: [{ query: ${own}/bad.ts }]\n`,
      );
      const { said } = await run(
        [
          ...LAUNCHER,
          task,
          ...(task === "up"
            ? [`${own}/f.yaml`]
            : [`${own}/bad.ts`, "--log", `embedded:${data}`, "--port", "off"]),
          "--no-check",
        ],
        { env: { AWS_SECRET: "x" }, until: /"learn who it is":"\w+"/ },
      );
      const results = JSON.parse(/\{"write code".*?\}/.exec(said)?.[0] ?? said);
      assert.ok(Object.keys(results).length > 60);
      for (const [name, result] of Object.entries(results)) {
        assert.equal(result, "refused", `${task}: ${name}`);
      }
    });
  });
}

/** As root, a kernel lets programs look at others' variables: docs/security.md says so. */
const OF_ROOT = ["read another program's environment"];

Deno.test({
  name: "What bad native code would try is refused by the kernel in every task that loads any",
  ignore: (CLibrary.open()?.version ?? 0) < 6,
  fn: async (t) => {
    await withCode(async (place) => {
      for (const task of PRODUCT) {
        if (launchOf(task, commandLines(place.data)[task]!).row.native === undefined) continue;
        await t.step(task, async () => {
          const more = "--allow-ffi --allow-read --allow-write --ignore-env";
          const results = await attack("native", more, task, place);
          for (const [name, result] of Object.entries(results)) {
            if (OF_ROOT.includes(name) && Deno.uid() === 0) continue;
            assert.equal(result, "refused", `${task}: ${name}`);
          }
        });
      }
    });
  },
});

/** Two that come to nothing even so: what is loaded is no extension of SQLite. */
const STARTED: Readonly<Record<string, RegExp>> = {
  "load an extension of SQLite": /undefined symbol|entry point/,
};

for (const name of ["attack", "native"] as const) {
  Deno.test({
    name: `Each ${name === "native" ? "native " : ""}attack works where there is no fence`,
    // Root alone may do all of it.
    ignore: Deno.uid() !== 0,
    fn: async () => {
      await withPlaces(async (place, folder) => {
        const root = `${folder}/code`;
        const files = [
          ...["main.ts", "deno.jsonc", "x", "queries/greyscale.ts", "cli/x", "docs/x", ".git/x"],
          ...[".ci/run", "node_modules/.deno/x", "tests/security/attack.ts"],
        ].map((file) => `${root}/${file}`).concat(`${folder}/npm/x`, `${folder}/gen/x`);
        for (const file of files) {
          await Deno.mkdir(file.replace(/\/[^/]*$/, ""), { recursive: true });
          await Deno.writeTextFile(file, "");
        }
        const { code, said } = await run(
          [
            "-q",
            "-A",
            "--no-lock",
            "--unstable-worker-options",
            "--unstable-kv",
            `--config=${ROOT}/deno.json`,
            script(name),
          ],
          {
            cwd: root,
            env: {
              FRAMELANE_ATTACK: JSON.stringify({ ...place, root, cache: folder }),
              AWS_SECRET: "x",
            },
          },
        );
        assert.equal(code, 0, said);
        const results = JSON.parse(said.slice(said.lastIndexOf('{"'))) as Record<string, string>;
        for (const [attack, result] of Object.entries(results)) {
          if (STARTED[attack] !== undefined) assert.match(result, STARTED[attack]);
          else assert.equal(result, "done", attack);
        }
      });
    },
  });
}

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
        ...LAUNCHER,
        ...["queries", "--sink", "images:.", "--port", "x"],
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
    const port = freePort();
    const tries = {
      // Where it may, the port is taken by its own command.
      "listen": `try { Deno.listen({ hostname: "127.0.0.1", port: ${port} }); }
         catch (error) { if (!(error instanceof Deno.errors.AddrInUse)) throw error; }`,
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
    const { said } = await run(
      [...LAUNCHER, "queries", query, "--log", `embedded:${folder}/log`, "--port", `${port}`],
      { env: { FRAMELANE_TOKEN: "t0ken" }, until: /and write its own/ },
    );
    assert.match(said, /could \[\], and write its own/);
  });
});

for (const task of ["queries", "up"]) {
  Deno.test(`An executor may do what its plan needs, and nothing of other plans (${task})`, async () => {
    await withFolder(async (folder) => {
      const log = `embedded:${folder}/log`;
      const opened = await openLog(log);
      await opened.createTopic("VideoStreaming", 1);
      const producer = await opened.producer();
      await producer.append("VideoStreaming", 0, records(1, 1));
      await producer.close();
      await opened.close();
      const onnx = libraryFiles(["onnx"], ROOT).find((file) => file.endsWith(".node"));
      const tries = {
        "write where no sink of it writes": `Deno.mkdirSync("${folder}/theirs/x")`,
        "write where sinks may": `Deno.mkdirSync(".framelane/stolen", { recursive: true })`,
        "load ONNX Runtime": `Deno.dlopen(${JSON.stringify(onnx)}, {})`,
        "see the secret of webhooks":
          `if (Deno.env.get("FRAMELANE_WEBHOOK_SECRET") === undefined) throw new Error("hidden")`,
        "ask for it":
          `if (Deno.permissions.requestSync({ name: "write" }).state !== "granted") throw 0`,
      };
      const probe = (when: string) =>
        `for (const [name, text] of Object.entries(${JSON.stringify(tries)})) {
           try { new Function("Deno", text)(Deno); said.push(name + "${when}"); } catch (error) { void error; }
         }`;
      await Deno.writeTextFile(
        `${folder}/probe.ts`,
        `import { images, query } from ${JSON.stringify(`${ROOT}/runtime/mod.ts`)};
         const said: string[] = [];
         ${probe(", while it is loaded")}
         export default query("probe").readStream({ startingOffsets: "earliest" }).map((frame) => {
           ${probe("")}
           Deno.openSync("${folder}/log/own", { create: true, write: true }).close();
           Deno.openSync("${folder}/mine/own", { create: true, write: true }).close();
           Deno.readTextFileSync(${JSON.stringify(`${ROOT}/deno.json`)});
           throw new Error("could [" + said + "], and write its own");
         }).writeStream(images({ directory: "${folder}/mine" }));`,
      );
      await Deno.writeTextFile(
        `${folder}/framelane.yaml`,
        `log: ${log}
state: ${folder}/data/state.kv
viewer: off
queries:
  - { query: ${folder}/probe.ts, sinks: ["images:${folder}/mine"] }
  - { query: greyscale, sinks: ["images:${folder}/theirs"] }
`,
      );
      const { said } = await run(
        [
          ...LAUNCHER,
          task,
          ...task === "up" ? [`${folder}/framelane.yaml`] : [
            ...[`${folder}/probe.ts`, "--log", log, "--port", "off"],
            ...["--sink", `images:${folder}/mine`],
          ],
          "--no-check",
        ],
        { env: { FRAMELANE_WEBHOOK_SECRET: "s3cret" }, until: /and write its own/ },
      );
      assert.match(said, /could \[\], and write its own/);
    });
  });
}
