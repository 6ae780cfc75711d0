/**
 * Each task's permissions: the very flags, that none of them is too many, and what they keep out.
 */
import assert from "node:assert/strict";
// Loaded before the tests: its native library stays with the thread and is no test's leak.
import "../../runtime/image/mod.ts";
import { commands } from "../../cli/registry.ts";
import project from "../../deno.json" with { type: "json" };
import { ROOT } from "../../tools/paths.ts";

const tasks: Readonly<Record<string, string>> = project.tasks;
const PRODUCT = Object.keys(commands);

/** The flags of a task's `deno run`, and what follows them. */
function partsOf(task: string): { flags: string[]; rest: string[] } {
  const [deno, run, ...words] = tasks[task]!.split(" ");
  assert.deepEqual([deno, run], ["deno", "run"], task);
  const flags = words.filter((word) => word.startsWith("--"));
  return { flags, rest: words.filter((word) => !word.startsWith("--")) };
}

async function deno(flags: string[], args: string[], timeoutMs = 20_000) {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    cwd: ROOT,
    args: ["run", ...flags, ...args],
    env: { NO_COLOR: "1" },
    stdin: "null",
    signal: AbortSignal.timeout(timeoutMs),
  }).output();
  const decoder = new TextDecoder();
  return { code, out: decoder.decode(stdout), err: decoder.decode(stderr) };
}

async function inFolder(act: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "framelane-permissions-" });
  try {
    await act(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

const CODE =
  "--deny-write=main.ts,deno.json,deno.lock,cli,cameras,runtime,queries,viewer,tools,node_modules,.git";
const COMMON = [
  "--no-prompt",
  "--allow-read",
  "--allow-write",
  CODE,
  "--allow-net",
  "--allow-env=FRAMELANE_*",
  "--ignore-env",
  "--allow-ffi=node_modules",
];

Deno.test("The permissions of each task are these and no others", () => {
  const expected: Record<string, string[]> = {
    demo: [
      "--no-prompt",
      "--allow-read=.,/etc/alpine-release,/usr/bin/ldd,/proc/self/exe",
      "--allow-write=.framelane",
      "--allow-net=127.0.0.1",
      "--allow-env=FRAMELANE_*",
      "--ignore-env",
      "--allow-ffi=node_modules",
    ],
    kafka: [
      "--no-prompt",
      "--allow-read",
      "--allow-write",
      CODE,
      "--allow-net=127.0.0.1",
      "--allow-env=FRAMELANE_*",
      "--ignore-env",
      "--allow-sys=uid",
      "--allow-run=java,/usr/bin/java,mvn,/usr/bin/mvn,/usr/bin/apt-get",
    ],
  };
  for (const task of PRODUCT) {
    const { flags, rest } = partsOf(task);
    assert.deepEqual(flags, expected[task] ?? COMMON, task);
    assert.deepEqual(rest, ["main.ts", task]);
  }
});

Deno.test("No task has all permissions, and none may ask for more", () => {
  for (const [task, command] of Object.entries(tasks)) {
    assert.doesNotMatch(command, new RegExp(` -${"A"}\\b|--allow-${"all"}`), task);
    if (command.startsWith("deno run")) assert.match(command, / --no-prompt /, task);
  }
});

/** What a task does with one flag gone: it must fail for that very reason. */
async function failsWithout(
  task: string,
  flag: string,
  args: readonly string[],
  reason: RegExp,
): Promise<void> {
  const { flags, rest } = partsOf(task);
  const fewer = flags.filter((one) => !one.startsWith(flag));
  assert.equal(fewer.length, flags.length - 1, `${task} has ${flag} once`);
  const { code, out, err } = await deno(fewer, [...rest, ...args]);
  assert.notEqual(code, 0, `${task} without ${flag}: ${out}${err}`);
  assert.match(out + err, reason, `${task} without ${flag}`);
}

/** Flags, each with what a task says that lacks it. */
const REASONS: Record<string, RegExp> = {
  // Without /proc, a library asks for the processors instead.
  "--allow-read": /Requires (read|sys) access/,
  "--allow-write": /--allow-write|equires write access/,
  "--allow-net": /Requires net access/,
  "--ignore-env": /Requires env access/,
  "--allow-ffi": /Requires ffi access/,
  "--allow-run": /Requires run access/,
  "--allow-sys": /Requires sys access/,
};

async function needsEach(
  t: Deno.TestContext,
  task: string,
  flags: readonly string[],
  args: readonly string[],
): Promise<void> {
  for (const flag of flags) {
    await t.step(`without ${flag}`, () => failsWithout(task, flag, args, REASONS[flag]!));
  }
}

async function runsWithAll(task: string, args: readonly string[]): Promise<void> {
  const { flags, rest } = partsOf(task);
  const { code, out, err } = await deno(flags, [...rest, ...args]);
  assert.equal(code, 0, out + err);
}

Deno.test("Each permission of the demo is needed, and they suffice", async (t) => {
  const args = ["--port", "0", "--for", "1"];
  const all = ["--allow-read", "--allow-write", "--allow-net", "--ignore-env", "--allow-ffi"];
  await needsEach(t, "demo", all, args);
  await runsWithAll("demo", args);
});

Deno.test("Each permission of a camera is needed, and they suffice", async (t) => {
  await inFolder(async (folder) => {
    const args = ["1", "--limit", "1", "--log", `embedded:${folder}/log`];
    await needsEach(
      t,
      "camera",
      ["--allow-read", "--allow-write", "--ignore-env", "--allow-ffi"],
      args,
    );
    await runsWithAll("camera", args);
  });
});

Deno.test("Each permission of queries is needed, and they suffice", async (t) => {
  await inFolder(async (folder) => {
    const log = ["--log", `embedded:${folder}/log`];
    await runsWithAll("camera", ["1", "--limit", "2", ...log]);
    const args = [
      ...["greyscale", ...log, "--trigger", "available-now", "--starting-offsets", "earliest"],
      ...["--port", "0", "--sink", `images:${folder}/images`],
    ];
    const most = ["--allow-read", "--allow-write", "--allow-net", "--allow-ffi"];
    await needsEach(t, "queries", most, args);
    // It is the Kafka client that looks at the environment; no broker is asked before it does.
    await needsEach(t, "queries", ["--ignore-env"], [
      "--log",
      "kafka://127.0.0.1:1",
      "--port",
      "off",
    ]);
    await runsWithAll("queries", args);
  });
});

/** What the flags of a task let through. */
async function probe(task: string): Promise<Record<string, string>> {
  const outside = await Deno.makeTempFile({ prefix: "framelane-outside-" });
  try {
    const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      cwd: ROOT,
      args: ["run", ...partsOf(task).flags, "tests/security/probe.ts", outside],
      env: { FRAMELANE_TOKEN: "x", AWS_SECRET: "x" },
      stdin: "null",
    }).output();
    assert.equal(code, 0, new TextDecoder().decode(stderr));
    return JSON.parse(new TextDecoder().decode(stdout));
  } finally {
    await Deno.remove(outside);
  }
}

const KEPT_OUT = {
  "write main.ts": "denied",
  "write a query": "denied",
  "write a dependency": "denied",
  "run a shell": "denied",
  "run deno": "denied",
  "load a library of the system": "denied",
  "learn the host's name": "denied",
  "read AWS_SECRET": "nothing",
};

const LET_THROUGH = {
  "write .framelane": "allowed",
  "read the project": "allowed",
  "reach this machine": "granted",
  "read FRAMELANE_TOKEN": "its value",
};

Deno.test("Commands keep out: their own code, other programs and libraries, the environment", async () => {
  // Where frames come from and go to is the user's choice: any folder, any broker.
  const chosen = {
    "write outside": "allowed",
    "read outside": "allowed",
    "reach other machines": "granted",
  };
  assert.deepEqual(
    sorted(await probe("queries")),
    sorted({ ...KEPT_OUT, ...LET_THROUGH, ...chosen }),
  );
});

Deno.test("The demo keeps out also: other folders, other machines", async () => {
  const closed = {
    "write outside": "denied",
    "read outside": "denied",
    "reach other machines": "prompt",
  };
  assert.deepEqual(sorted(await probe("demo")), sorted({ ...KEPT_OUT, ...LET_THROUGH, ...closed }));
});

Deno.test("The Kafka starter keeps out: its own code, other machines, other programs", async () => {
  const closed = {
    "write outside": "allowed",
    "read outside": "allowed",
    "reach other machines": "prompt",
  };
  assert.deepEqual(
    sorted(await probe("kafka")),
    sorted({ ...KEPT_OUT, ...LET_THROUGH, ...closed }),
  );
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
  await inFolder(async (folder) => {
    const script = `${folder}/images.ts`;
    await Deno.writeTextFile(
      script,
      `import { keepLuma } from "${ROOT}/runtime/image/jpeg_library.ts";
       import { decodeImage, inspectImage } from "${ROOT}/runtime/image/mod.ts";
       const bytes = Deno.readFileSync("${ROOT}/clips/astronaut.jpg");
       const { width, height } = inspectImage(bytes);
       const grey = await keepLuma(bytes, { width, height });
       const small = await decodeImage(bytes, 3);
       console.log(inspectImage(grey!).components, small.width === width);`,
    );
    const { code, out, err } = await deno([...flags, `--config=${ROOT}/deno.json`], [script]);
    assert.equal(code, 0, err);
    assert.equal(out, "1 true\n");
  });
});
