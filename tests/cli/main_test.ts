/** The command line as a process. */
import assert from "node:assert/strict";
import project from "../../deno.json" with { type: "json" };
import { withDeadline } from "../../runtime/base/wait.ts";
import { ROOT } from "../../tools/paths.ts";
import { PATIENCE_MS } from "../support/until.ts";

const FLAGS = ["read", "write", "net", "env", "ffi"].map((kind) => `--allow-${kind}`);

function start(args: readonly string[], env: Record<string, string> = {}): Deno.ChildProcess {
  return new Deno.Command(Deno.execPath(), {
    cwd: ROOT,
    args: ["run", ...FLAGS, ...args],
    env: { NO_COLOR: "1", ...env },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
}

async function run(args: readonly string[], env: Record<string, string> = {}) {
  const { code, stdout, stderr } = await start(args, env).output();
  const decoder = new TextDecoder();
  return { code, out: decoder.decode(stdout), err: decoder.decode(stderr) };
}

/** Runs a script that uses the process guard. */
async function guarded(body: string, act: (child: Deno.ChildProcess) => Promise<void>) {
  const file = await Deno.makeTempFile({ suffix: ".ts" });
  try {
    const [guard, out] = ["process", "output"].map((name) =>
      new URL(`../../cli/${name}.ts`, import.meta.url)
    );
    const head =
      `import { endOnSignals, endProcess, guardProcess } from "${guard}";\nimport { Output } from "${out}";\n` +
      "const output = new Output(() => {});\n";
    await Deno.writeTextFile(file, head + body);
    await act(start([file]));
  } finally {
    await Deno.remove(file);
  }
}

async function firstText(stream: ReadableStream<Uint8Array>): Promise<string> {
  const reader = stream.getReader();
  const { value } = await reader.read();
  reader.releaseLock();
  return new TextDecoder().decode(value);
}

Deno.test("Help and version go to standard output, wrong use does not", async () => {
  const help = await run(["main.ts", "--help"]);
  assert.equal(help.code, 0);
  for (const name of ["demo", "camera", "queries", "kafka"]) {
    assert.match(help.out, new RegExp(`^  ${name} `, "m"));
  }
  const version = await run(["main.ts", "--version"]);
  assert.match(
    version.out,
    new RegExp(`^framelane ${project.version.replaceAll(".", "\\.")}, deno \\d`),
  );
  const none = await run(["main.ts"]);
  assert.deepEqual([none.code, none.out], [2, ""]);
});

Deno.test("All faults of a command are reported at once, on standard error, with exit code 2", async () => {
  const args = [
    "main.ts",
    "camera",
    "0",
    "--limit",
    "none",
    "--quality",
    "101",
    "--sorce",
    "x",
    "--json",
  ];
  const { code, out, err } = await run(args, { FRAMELANE_FPS: "often" });
  assert.deepEqual([code, out], [2, ""]);
  for (
    const fault of [
      /camera/i,
      /--limit "none"/,
      /--quality "101"/,
      /--sorce/,
      /FRAMELANE_FPS "often"/,
    ]
  ) {
    assert.match(err, fault);
  }
  const others = "queries nosuch --log bogus: --host a/b --port 99999 --allow-net x:99999 " +
    '--sink topic:VideoStreaming --starting-offsets {"Other":{"0":1}}';
  const { code: second, err: said } = await run(["main.ts", ...others.split(" ")]);
  assert.equal(second, 2);
  const parts = ["--log", "--host", "--port", "--allow-net", "--sink", "--starting-offsets"];
  for (const part of ['query "nosuch"', ...parts]) {
    assert.match(said, new RegExp(`^(?:Unknown|Cannot use) ${part}`, "m"));
  }
});

Deno.test("Ctrl-C ends a command in good order", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const child = start(["main.ts", "camera", "1", "--log", `embedded:${folder}/log`, "--json"]);
    assert.match(await firstText(child.stderr), /to partition 0/);
    await child.stderr.cancel();
    child.kill("SIGINT");
    const [{ code }, out] = await Promise.all([child.status, new Response(child.stdout).text()]);
    assert.equal(code, 0);
    const last = out.trimEnd().split("\n").at(-1)!;
    assert.equal(JSON.parse(last).type, "summary");
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("The first signal aborts, the second ends at once", async () => {
  const body = `
    const stop = guardProcess(output);
    stop.signal.addEventListener("abort", () => console.log(stop.signal.reason.message));
    console.log("ready");
    setInterval(() => {}, 60_000);`;
  await guarded(body, async (child) => {
    assert.equal(await firstText(child.stdout), "ready\n");
    child.kill("SIGTERM");
    assert.equal(await firstText(child.stdout), "Stopped by SIGTERM\n");
    child.kill("SIGINT");
    assert.equal((await child.output()).code, 130);
  });
});

Deno.test("A signal ends a command that holds the thread and has nothing to finish", async () => {
  const body = `
    guardProcess(output);
    endOnSignals();
    console.log("ready");
    while (true);`;
  await guarded(body, async (child) => {
    assert.equal(await firstText(child.stdout), "ready\n");
    child.kill("SIGTERM");
    assert.equal((await child.output()).signal, "SIGTERM");
  });
});

Deno.test("A signal that was sent to the whole group and is passed on counts once", async () => {
  const body = `
    let now = 0;
    const stop = guardProcess(output, () => now);
    let heard = 0;
    Deno.addSignalListener("SIGTERM", () => {
      console.log("heard " + ++heard);
      if (heard === 2) now = 10_000;
    });
    console.log("ready");
    setInterval(() => {}, 60_000);`;
  await guarded(body, async (child) => {
    assert.equal(await firstText(child.stdout), "ready\n");
    for (const times of [1, 2]) {
      child.kill("SIGTERM");
      assert.equal(await firstText(child.stdout), `heard ${times}\n`);
    }
    child.kill("SIGTERM");
    assert.equal((await child.output()).code, 130);
  });
});

Deno.test("An unhandled rejection or error is reported, without secrets, and ends with 1", async () => {
  const failures = [
    `Promise.reject(new Error("rtsp://a.b:s3cret@cam is away"));`,
    `setTimeout(() => { throw new Error("rtsp://a.b:s3cret@cam is away"); });`,
  ];
  for (const failure of failures) {
    const body = `guardProcess(output); setInterval(() => {}, 60_000); ${failure}`;
    await guarded(body, async (child) => {
      const { code, stderr } = await child.output();
      assert.equal(code, 1);
      assert.match(new TextDecoder().decode(stderr), /rtsp:\/\/a\.b:\*\*\*@cam is away\n\s+at /);
    });
  }
});

Deno.test("A reader that pauses holds up no signal", async () => {
  const body = `
    const stop = guardProcess(output);
    stop.signal.addEventListener("abort", () => Deno.exit(7));
    output.print("x".repeat(1_000_000));
    output.say("not before the line ahead of it");
    console.error("ready");
    setInterval(() => {}, 60_000);`;
  await guarded(body, async (child) => {
    try {
      const ready = withDeadline("printing", PATIENCE_MS, () => firstText(child.stderr));
      assert.equal(await ready, "ready\n");
      child.kill("SIGTERM");
      const { code } = await withDeadline("the end", PATIENCE_MS, () => child.status);
      assert.equal(code, 7);
    } finally {
      await Promise.all([child.stdout.cancel(), child.stderr.cancel()]);
    }
  });
});

Deno.test("An uncaught error ends with 1 even if the command ends meanwhile", async () => {
  const body = `
    const stop = guardProcess(output);
    Promise.reject(new Error("lost"));
    addEventListener("unhandledrejection", () => endProcess(0, output, stop.signal));
    setInterval(() => {}, 60_000);`;
  await guarded(body, async (child) => {
    const { code, stderr } = await child.output();
    assert.deepEqual([code, /lost/.test(new TextDecoder().decode(stderr))], [1, true]);
  });
});

Deno.test("A reader that pauses holds up the end until a signal, and not for long after it", async () => {
  const body = `
    const stop = guardProcess(output);
    output.print("x".repeat(1_000_000));
    endProcess(0, output, stop.signal);
    console.error("ready");`;
  await guarded(body, async (child) => {
    try {
      assert.equal(await firstText(child.stderr), "ready\n");
      child.kill("SIGTERM");
      const { code } = await withDeadline("the end", PATIENCE_MS, () => child.status);
      assert.equal(code, 0);
    } finally {
      await Promise.all([child.stdout.cancel(), child.stderr.cancel()]);
    }
  });
});

Deno.test("A full disk below standard output is a failure", async () => {
  const { code, stderr } = await new Deno.Command("sh", {
    cwd: ROOT,
    args: ["-c", '"$0" run "$@" > /dev/full', Deno.execPath(), ...FLAGS, "main.ts", "--version"],
    env: { NO_COLOR: "1" },
  }).output();
  const said = new TextDecoder().decode(stderr).trim();
  assert.equal(code, 1);
  assert.match(said, /^Cannot write to standard output\n +because: No space left on device/);
});

Deno.test("A reader that goes away, as head does, stops a command without a word", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const child = start([
      "main.ts",
      "camera",
      "1",
      "--log",
      `embedded:${folder}/log`,
      "--json",
      "--limit",
      "30",
    ]);
    await child.stdout.cancel();
    const [{ code }, err] = await Promise.all([child.status, new Response(child.stderr).text()]);
    assert.equal(code, 0, err);
    assert.doesNotMatch(err, /pipe/i);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
