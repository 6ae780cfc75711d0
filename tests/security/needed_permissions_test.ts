/** Each flag of each task is needed: without it the task fails at something that has a name. */
import assert from "node:assert/strict";
// Loaded before the tests: its native library stays with the thread and is no test's leak.
import "../../runtime/image/mod.ts";
import { orderModel } from "../queries/operators/model/order_kit.ts";
import { records } from "../support/frames.ts";
import { withLog } from "../support/log.ts";
import { until } from "../support/until.ts";
import { denoArguments, launchOf, PRODUCT, run } from "./task.ts";
import { withFolder } from "../support/folder.ts";

/** How a task is made to need a flag. */
interface Need {
  readonly flag: string;
  readonly args: readonly string[];
  /** What is said without the flag; with it, that is not said. */
  readonly says: RegExp;
  /** Asked for over HTTP once the viewer is there. */
  readonly path?: string;
}

/** A task, and what it needs. The first arguments work with all flags. */
interface Trial {
  readonly task: string;
  readonly works: readonly string[];
  /** For what does not end by itself: what it says when it is at work. */
  readonly atWork?: RegExp;
  readonly needs: readonly Need[];
  /** A setting that is wrong: reported only where the environment may be read. */
  readonly setting: string;
}

const read = /Requires read access/;
const write = /Requires write access/;
const net = /Requires net access/;
const env = /Requires env access/;
const ffi = /Requires ffi access/;
const VIEWER = /Stop with Ctrl-C|Viewer: /;
/** Flags that open nothing: see `permissions_test.ts`. */
const CLOSING = [
  "--no-prompt",
  "--node-modules-dir",
  "--cached-only",
  "--deny-import",
  "--v8-flags",
];

/** What says that a flag is missing, where nothing else is said. */
const SAYS: Readonly<Record<string, RegExp>> = {
  "--allow-read": read,
  "--allow-write": write,
  "--allow-net": net,
  "--ignore-env": env,
  "--allow-ffi": ffi,
};

/** Flags that the same arguments need. */
function needs(args: readonly string[], ...flags: readonly string[]): Need[] {
  return flags.map((flag) => ({ flag, args, says: SAYS[flag]! }));
}

const FILES = ["--allow-read", "--allow-write"];
const LIBRARIES = ["--ignore-env", "--allow-ffi"];
/** A camera that needs the library for video. */
const FILM = "clips/bigbuckbunny.mp4";

function trials(folder: string, url: string): Trial[] {
  const log = ["--log", url];
  const film = ["--source", FILM, "--limit", "1"];
  const camera = ["1", ...film, "--log", `embedded:${folder}/camera`];
  const cameras = ["run", "--state", `${folder}/state`, "--log", `embedded:${folder}/cameras`];
  const metrics = ["--metrics-port", "0"];
  const queries = [
    ...["greyscale", ...log, "--trigger", "available-now", "--starting-offsets", "earliest"],
    ...["--port", "0", "--sink", `images:${folder}/images`],
  ];
  const viewer = [...log, "--port", "0"];
  const clip = { args: viewer, path: "api/clip.mp4?lane=raw-0&from=0&to=3" };
  const kafka = ["--data", `${folder}/kafka`, "--port", "1"];
  const model = ["--model", orderModel("nthwc"), "--label", "last"];
  const evaluate = [...model, "--clips", `${folder}/clips`, "--out", `${folder}/report.json`];
  // Ended when it has said what it lacks: a slow machine may open no video within a second.
  const demo = ["--port", "0"];
  const up = [`${folder}/framelane.yaml`];
  return [
    {
      task: "demo",
      works: [...demo, "--for", "1"],
      setting: "FRAMELANE_PORT",
      needs: [
        ...needs(demo, "--allow-read", ...LIBRARIES),
        { flag: "--allow-write", args: demo, says: /Requires write access to "\.framelane"/ },
        { flag: "--allow-net", args: demo, says: /Requires net access to "127\.0\.0\.1:0"/ },
      ],
    },
    {
      task: "camera",
      works: camera,
      setting: "FRAMELANE_FPS",
      needs: [
        ...needs(camera, ...FILES, ...LIBRARIES),
        ...needs([...camera, ...metrics], "--allow-net"),
      ],
    },
    {
      task: "cameras",
      works: ["list", "--state", `${folder}/unused`],
      setting: "FRAMELANE_FPS",
      needs: [
        ...needs(cameras, ...FILES, ...LIBRARIES),
        ...needs([...cameras, ...metrics], "--allow-net"),
      ],
    },
    {
      task: "queries",
      works: queries,
      setting: "FRAMELANE_PORT",
      needs: [
        ...needs(queries, ...FILES, "--allow-net", "--allow-ffi"),
        ...needs([...queries, "--sink", `video:${folder}/video`], "--ignore-env"),
      ],
    },
    {
      task: "up",
      works: [...up, "--check"],
      setting: "FRAMELANE_JSON",
      needs: needs(up, ...FILES, "--allow-net", ...LIBRARIES),
    },
    {
      task: "viewer",
      works: viewer,
      atWork: VIEWER,
      setting: "FRAMELANE_PORT",
      needs: [
        ...needs(viewer, "--allow-read", "--allow-net"),
        // It opens its log and the registry of cameras side by side.
        { flag: "--allow-write", args: viewer, says: /(Deno's permissions|Requires) .*write/ },
        { flag: "--ignore-env", says: env, ...clip },
        { flag: "--allow-ffi", says: ffi, ...clip },
      ],
    },
    {
      task: "kafka",
      works: ["--help"],
      setting: "FRAMELANE_PORT",
      needs: [
        ...needs(kafka, ...FILES, "--allow-net"),
        { flag: "--allow-run", args: kafka, says: /Requires run access to "java"/ },
      ],
    },
    {
      task: "checkpoints",
      works: ["inspect", ...log],
      setting: "FRAMELANE_JSON",
      needs: [
        ...needs(["inspect", ...log], ...FILES),
        ...needs(["inspect", "--log", "kafka://127.0.0.1:1"], "--allow-net"),
      ],
    },
    {
      task: "log",
      works: ["retention", ...log],
      setting: "FRAMELANE_JSON",
      needs: needs(["retention", ...log], ...FILES),
    },
    {
      task: "models",
      works: ["inspect", `${folder}/model.onnx`, "--force"],
      setting: "FRAMELANE_JSON",
      needs: [
        ...needs(["presets"], "--allow-read"),
        ...needs(["inspect", `${folder}/model.onnx`], "--allow-write"),
        ...needs(["check", "models/centernet/model.json"], "--allow-ffi"),
      ],
    },
    {
      task: "evaluate",
      works: evaluate,
      setting: "FRAMELANE_FPS",
      needs: needs(evaluate, ...FILES, ...LIBRARIES),
    },
  ];
}

/** What the tasks need to find. */
async function prepare(folder: string): Promise<void> {
  await Deno.copyFile("models/centernet/centernet.onnx", `${folder}/model.onnx`);
  for (const clip of ["last/one", "calm/two"]) {
    await Deno.mkdir(`${folder}/clips/${clip}`, { recursive: true });
    await Deno.copyFile("clips/astronaut.jpg", `${folder}/clips/${clip}/000.jpg`);
  }
  await Deno.writeTextFile(
    `${folder}/framelane.yaml`,
    [
      `log: embedded:${folder}/up`,
      `state: ${folder}/up.kv`,
      "viewer: { port: 0 }",
      'cameras: [{ number: 1, source: "pattern:?size=64x48" }]',
      `queries: [{ query: greyscale, sinks: ["video:${folder}/up-video"] }]`,
    ].join("\n"),
  );
  const added = await run(
    denoArguments("cameras", ["add", "1", FILM, "--state", `${folder}/state`]),
  );
  assert.equal(added.code, 0, added.said);
}

Deno.test("each permission of each task is needed, and they suffice", async (t) => {
  await withFolder((folder) =>
    withLog(async (url, log) => {
      await prepare(folder);
      await log.createTopic("VideoStreaming", 1);
      const producer = await log.producer();
      await producer.append("VideoStreaming", 0, records(1, 4));
      await producer.close();
      const all = trials(folder, url);
      assert.deepEqual(all.map(({ task }) => task).sort(), [...PRODUCT].sort());
      for (const trial of all) {
        const { task, needs, setting } = trial;
        // Every flag is proven here, or takes away instead of giving.
        const proven = [...needs.map(({ flag }) => flag), "--allow-env", ...CLOSING];
        // Shown below; without it one metric is left out, and segments are too large for a small disk.
        if (["kafka", "camera", "cameras", "queries", "demo", "up"].includes(task)) {
          proven.push("--allow-sys");
        }
        for (const flag of launchOf(task, trial.works).flags) {
          assert.ok(proven.includes(flag.split("=")[0]!), `${task} ${flag}`);
        }
        for (const need of needs) {
          await t.step(`${task} without ${need.flag}`, () => isNeeded(task, need));
        }
        await t.step(`${task} without --allow-env`, () => hearsNothing(task, setting));
        await t.step(`${task} with all of them`, async () => {
          const { works, atWork } = trial;
          const ran = await run(
            denoArguments(task, works),
            atWork === undefined ? {} : { until: atWork },
          );
          assert.equal(ran.code, atWork === undefined ? 0 : undefined, ran.said);
          assert.doesNotMatch(ran.said, /Requires \w+ access/);
        });
      }
    })
  );
});

async function isNeeded(task: string, { flag, args, says, path }: Need): Promise<void> {
  const { said } = await run(denoArguments(task, args, flag), {
    until: path === undefined ? says : VIEWER,
    ...(path === undefined ? {} : {
      async then(said) {
        await ask(said(), path);
        await until(`${task} without ${flag} to say so`, () => says.test(said()));
      },
    }),
  });
  assert.match(said, says, `${task} without ${flag}: ${said}`);
}

/** Asks a viewer for something, as far as it comes. */
async function ask(said: string, path: string): Promise<void> {
  const [viewer] = /http:\S+/.exec(said)!;
  try {
    await (await fetch(`${viewer}${path}`)).bytes();
  } catch (error) {
    // What the viewer says is looked at; that the answer breaks off is part of it.
    assert.ok(error instanceof TypeError, String(error));
  }
}

/** Without the permission a setting in the environment is as good as not there. */
async function hearsNothing(task: string, setting: string): Promise<void> {
  const call = (without?: string) =>
    run(denoArguments(task, ["--no-such-option"], without), { env: { [setting]: "nonsense" } });
  const [heard, deaf] = [await call(), await call("--allow-env")];
  assert.equal(heard.code, 2);
  assert.match(heard.said, new RegExp(`Cannot use ${setting} "nonsense"`));
  assert.doesNotMatch(deaf.said, new RegExp(`Cannot use ${setting}`));
}

Deno.test("Each place that the demo may read and each library that it may load is needed", async () => {
  const args = ["--port", "0", "--for", "1"];
  const { access, flags, reads } = launchOf("demo", args);
  const probe = "tests/security/libraries_probe.ts";
  assert.equal((await run([...flags, probe])).code, 0);
  const lists = { "--allow-read": reads, "--allow-ffi": [...access.libraries] };
  for (const [flag, places] of Object.entries(lists)) {
    for (const place of places.filter((path) => !/musl/.test(path))) {
      const fewer = flags.map((one) =>
        one.startsWith(flag)
          ? `${flag}=${one.slice(flag.length + 1).split(",").filter((path) => path !== place)}`
          : one
      );
      // Without the name of the C library's kind, a package asks for the processors.
      const { said } = await run([...fewer, probe]);
      assert.match(said, /Requires (read|ffi|sys) access/, `without ${place}`);
    }
  }
});

Deno.test("the Kafka starter may ask who it is when Java is to be installed, and run Maven", async () => {
  const env = { PATH: "/nonexistent" };
  const args = ["--port", "1"];
  const denied = await run(denoArguments("kafka", args, "--allow-sys"), { env });
  assert.match(denied.said, /Requires sys access to "uid"/);
  const allowed = await run(denoArguments("kafka", args), { env });
  assert.match(allowed.said, /Cannot continue without java \(17 or newer/);
  await Deno.mkdir(".cache", { recursive: true });
  const noMaven = launchOf("kafka", args).flags.map((flag) =>
    flag.replace(",mvn,/usr/bin/mvn", "")
  );
  const maven = await run([...noMaven, "tests/security/kit_probe.ts"]);
  assert.match(maven.said, /Requires run access to "mvn"/);
});
