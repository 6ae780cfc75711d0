/**
 * Each task's permissions: the very flags, and what they keep out. That each is needed is shown in
 * `needed_permissions_test.ts`.
 */
import assert from "node:assert/strict";
// Loaded before the tests: its native library stays with the thread and is no test's leak.
import "../../runtime/image/mod.ts";
import { ROOT } from "../../tools/paths.ts";
import { flagsWithout, partsOf, PRODUCT, run, tasks } from "./task.ts";
import { withFolder } from "../support/folder.ts";

const OWN = [
  ...["main.ts", "deno.json", "deno.lock", "cli", "cameras", "runtime", "queries", "viewer"],
  ...["models", "tools", "tests", "bench", "node_modules", ".git", ".ci", "Dockerfile"],
  "compose.yaml",
];
const NO_PROMPT = "--no-prompt";
/** No permission: frames are garbage outside the heap, which V8 lets pile up to four times this. */
const SMALL_HEAP = "--v8-flags=--max-semi-space-size=4";
const FILES = ["--allow-read", "--allow-write", `--deny-write=${OWN.join(",")}`];
const SETTINGS = "--allow-env=FRAMELANE_*";
const LIBRARIES = "--allow-ffi=node_modules";

/** What is kept out of every task: see `probe.ts`. */
const KEPT_OUT = {
  "write main.ts": "denied",
  "write a query": "denied",
  "write a dependency": "denied",
  "write a test": "denied",
  "write the CI script": "denied",
  "write a model": "denied",
  "run a shell": "denied",
  "run deno": "denied",
  "load a library of the system": "denied",
  "learn the host's name": "denied",
  "learn who it is": "denied",
  "signal a process": "denied",
};
const UNSEEN = "nothing";
const LET_THROUGH = {
  "write .framelane": "allowed",
  "read the project": "allowed",
  "read FRAMELANE_TOKEN": "its value",
};
/** Where frames come from and go to is the user's choice. */
const ANY_FILE = { "write outside": "allowed", "read outside": "allowed" };
const ANY_HOST = { "reach this machine": "granted", "reach other machines": "granted" };
const THIS_HOST = { "reach this machine": "granted", "reach other machines": "prompt" };
const NO_HOST = { "reach this machine": "prompt", "reach other machines": "prompt" };

/** A task's flags, and what they let through beside what is kept out of all. */
interface Fence {
  readonly flags: readonly string[];
  readonly lets: Readonly<Record<string, string>>;
}

const wide: Fence = {
  flags: [NO_PROMPT, ...FILES, "--allow-net", SETTINGS, "--ignore-env", LIBRARIES],
  lets: { ...ANY_FILE, ...ANY_HOST, "read AWS_SECRET": UNSEEN },
};

const FENCES: Readonly<Record<string, Fence>> = {
  demo: {
    flags: [
      NO_PROMPT,
      SMALL_HEAP,
      "--allow-read=.,/etc/alpine-release,/usr/bin/ldd",
      "--allow-write=.framelane",
      "--allow-net=127.0.0.1",
      ...[SETTINGS, "--ignore-env", LIBRARIES],
    ],
    lets: {
      "write outside": "denied",
      "read outside": "denied",
      ...THIS_HOST,
      "read AWS_SECRET": UNSEEN,
    },
  },
  camera: wide,
  cameras: wide,
  queries: { ...wide, flags: [NO_PROMPT, SMALL_HEAP, ...wide.flags.slice(1)] },
  viewer: wide,
  checkpoints: {
    flags: [NO_PROMPT, ...FILES, "--allow-net", SETTINGS],
    lets: { ...ANY_FILE, ...ANY_HOST, "read AWS_SECRET": "denied" },
  },
  models: {
    flags: [NO_PROMPT, ...FILES.map((flag) => flag.replace("models,", "")), SETTINGS],
    lets: {
      ...ANY_FILE,
      ...NO_HOST,
      "write a model": "allowed",
      "read AWS_SECRET": "denied",
    },
  },
  evaluate: {
    flags: [NO_PROMPT, ...FILES, SETTINGS, "--ignore-env", LIBRARIES],
    lets: { ...ANY_FILE, ...NO_HOST, "read AWS_SECRET": UNSEEN },
  },
  kafka: {
    flags: [
      ...[NO_PROMPT, ...FILES, "--allow-net=127.0.0.1", SETTINGS, "--allow-sys=uid"],
      "--allow-run=java,/usr/bin/java,mvn,/usr/bin/mvn,/usr/bin/apt-get",
    ],
    lets: {
      ...ANY_FILE,
      ...THIS_HOST,
      "learn who it is": "allowed",
      "read AWS_SECRET": "denied",
    },
  },
};

Deno.test("The permissions of each task are these and no others", () => {
  assert.deepEqual(Object.keys(FENCES).sort(), [...PRODUCT].sort());
  for (const task of PRODUCT) {
    const { flags, rest } = partsOf(task);
    assert.deepEqual(flags, FENCES[task]!.flags, task);
    assert.deepEqual(rest, ["main.ts", task]);
  }
});

Deno.test("No task has all permissions, and none may ask for more", () => {
  for (const [task, command] of Object.entries(tasks)) {
    assert.doesNotMatch(command, new RegExp(` -${"A"}\\b|--allow-${"all"}`), task);
    if (command.startsWith("deno run")) assert.match(command, / --no-prompt /, task);
  }
});

/** What flags let through. */
async function probe(flags: readonly string[]): Promise<Record<string, string>> {
  let results: Record<string, string> = {};
  await withFolder(async (folder) => {
    const outside = `${folder}/outside`;
    await Deno.writeTextFile(outside, "");
    const { code, said } = await run([...flags, "tests/security/probe.ts", outside], {
      env: { FRAMELANE_TOKEN: "x", AWS_SECRET: "x" },
    });
    assert.equal(code, 0, said);
    results = JSON.parse(said);
  });
  return results;
}

Deno.test("Each task keeps out what it should, and lets through what it needs", async (t) => {
  for (const task of PRODUCT) {
    await t.step(task, async () => {
      const { flags, lets } = FENCES[task]!;
      assert.deepEqual(
        sorted(await probe(flags)),
        sorted({ ...KEPT_OUT, ...LET_THROUGH, ...lets }),
      );
    });
  }
});

Deno.test("It is --deny-write that keeps the own code out, wherever files may be written", async () => {
  for (const task of PRODUCT.filter((name) => partsOf(name).flags.includes("--allow-write"))) {
    const results = await probe(flagsWithout(task, "--deny-write"));
    for (const [what, result] of Object.entries(results)) {
      if (what.startsWith("write ")) assert.equal(result, "allowed", `${task}: ${what}`);
    }
  }
  // And it names all there is to protect: what is new in the project's folder has to be thought of.
  const open = [".dockerignore", ".gitignore", "CHANGELOG.md", "CONTRIBUTING.md", "LICENSE"];
  const free = [
    ...open,
    "README.md",
    "SECURITY.md",
    "clips",
    "docs",
    ".framelane",
    ".cache",
    "data",
  ];
  const found = [...Deno.readDirSync(ROOT)].map(({ name }) => name);
  assert.deepEqual(found.filter((name) => !OWN.includes(name) && !free.includes(name)), []);
});

Deno.test("Nobody at a terminal is asked to widen anything", async () => {
  /** What a terminal shows, up to a question or the program's end. */
  const ask = async (flags: readonly string[]) => {
    const command = [Deno.execPath(), "run", ...flags, "tests/security/ask_probe.ts"].join(" ");
    const child = new Deno.Command("script", {
      cwd: ROOT,
      args: ["-qec", command, "/dev/null"],
      stdin: "piped",
      stdout: "piped",
      env: { NO_COLOR: "1" },
    }).spawn();
    const timer = setTimeout(() => child.kill("SIGKILL"), 10_000);
    let said = "";
    for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) {
      said += text;
      if (/Allow\?|^answer: /m.test(said)) break;
    }
    await child.stdin.close();
    child.kill("SIGTERM");
    await child.status;
    clearTimeout(timer);
    return said;
  };
  const { flags } = partsOf("models");
  assert.match(await ask(flagsWithout("models", "--no-prompt")), /Allow\?/);
  const answer = await ask(flags);
  assert.match(answer, /^answer: (denied|prompt)/);
});

function sorted(of: Record<string, string>): Record<string, string> {
  return Object.fromEntries(Object.entries(of).sort());
}

Deno.test("A camera with a local log gives up the network", async () => {
  const { camera } = await import("../../cli/commands/camera.ts");
  const source = "pattern:";
  const local = { log: "embedded:.framelane/log", source };
  assert.equal(camera.network?.(local), false);
  assert.equal(camera.network?.({ ...local, source: "rtsp://127.0.0.1/1" }), false);
  assert.equal(camera.network?.({ ...local, source: "http://127.0.0.1/mjpeg" }), true);
  assert.equal(camera.network?.({ ...local, "metrics-port": 9100 }), true);
  assert.equal(camera.network?.({ ...local, log: "kafka://127.0.0.1:9092" }), true);
});

Deno.test("Images are decoded and made grey with what the demo is allowed", async () => {
  const { flags } = partsOf("demo");
  await withFolder(async (folder) => {
    const script = `${folder}/images.ts`;
    await Deno.writeTextFile(
      script,
      `import { keepLuma } from "${ROOT}/runtime/image/turbojpeg.ts";
       import { decodeImage, inspectImage } from "${ROOT}/runtime/image/mod.ts";
       const bytes = Deno.readFileSync("${ROOT}/clips/astronaut.jpg");
       const { width, height } = inspectImage(bytes);
       const grey = await keepLuma(bytes, { width, height });
       const small = await decodeImage(bytes, 3);
       console.log(inspectImage(grey!).components, small.width === width);`,
    );
    const { code, said } = await run([...flags, `--config=${ROOT}/deno.json`, script]);
    assert.equal(code, 0, said);
    assert.match(said, /^1 true$/m);
  });
});

Deno.test("Commands give up what their arguments do not need", async () => {
  const { checkpoints } = await import("../../cli/commands/checkpoints.ts");
  assert.equal(checkpoints.network?.({ log: "embedded:.framelane" }), false);
  assert.equal(checkpoints.network?.({ log: "kafka://127.0.0.1:9092" }), true);
  const { models } = await import("../../cli/commands/models.ts");
  const writes = (...positionals: string[]) => models.writes?.({ positionals, options: {} });
  assert.deepEqual(
    [writes("presets"), writes("check", "m.json"), writes("inspect", "m.onnx")],
    [false, false, true],
  );
  const { evaluate } = await import("../../cli/commands/evaluate.ts");
  const files = (options: Record<string, unknown>) =>
    evaluate.writes?.({ positionals: [], options });
  assert.deepEqual([files({}), files({ out: "x" }), files({ plot: "x" })], [false, true, true]);
});
