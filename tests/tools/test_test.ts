import assert from "node:assert/strict";
import { NO_TESTS } from "../../tools/junit.ts";
import { join, ROOT } from "../../tools/paths.ts";
import { parseArguments, runTests, settle } from "../../tools/test.ts";

Deno.test("Arguments of the test task: filters, and flags of deno test after --", () => {
  assert.deepEqual(parseArguments(["--unit", "tests/cli", "--", "--fail-fast"]), {
    unit: true,
    filters: ["tests/cli"],
    flags: ["--fail-fast"],
  });
  assert.throws(() => parseArguments(["--fail-fast"]), /Unknown option '--fail-fast'/);
});

Deno.test("Counts and exit code cannot disagree", () => {
  const none = NO_TESTS;
  const [well, failed] = [{ code: 0 }, { code: 1 }];
  assert.equal(settle(none, well).failed, 1, "no test at all");
  assert.equal(settle(undefined, well).failed, 1, "no report");
  assert.equal(settle({ ...none, passed: 3 }, failed).failed, 1, "failed outside of a test");
  assert.equal(settle({ ...none, passed: 3, ignored: 2 }, well).failed, 2, "skipped tests");
  assert.equal(settle({ ...none, passed: 3, failed: 2 }, failed).failed, 2);
  assert.equal(settle({ ...none, passed: 3 }, well).failed, 0);
});

async function testTask(
  args: string[],
  env: Record<string, string> = {},
): Promise<{ code: number; lines: string[]; err: string }> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    cwd: ROOT,
    args: ["task", "test", ...args],
    env: { NO_COLOR: "1", ...env },
    stdin: "null",
  }).output();
  const decoder = new TextDecoder();
  return {
    code,
    lines: decoder.decode(stdout).trimEnd().split("\n"),
    err: decoder.decode(stderr),
  };
}

async function withTests(files: Record<string, string>, check: (folder: string) => Promise<void>) {
  const folder = await Deno.makeTempDir();
  try {
    for (const [name, text] of Object.entries(files)) {
      await Deno.writeTextFile(join(folder, name), text);
    }
    await check(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

const PASSES = 'Deno.test("passes", () => {});';

Deno.test("The test task passes only when all tests pass", async (t) => {
  const cases: Record<string, [Record<string, string>, string]> = {
    "all pass": [{ "a_test.ts": PASSES, "b_test.ts": PASSES + PASSES }, "3 passed, 0 failed"],
    "more files than one process takes": [
      Object.fromEntries(Array.from({ length: 40 }, (_, i) => [`${i}_test.ts`, PASSES])),
      "40 passed, 0 failed",
    ],
    "one of many files has a wrong type": [
      {
        ...Object.fromEntries(Array.from({ length: 40 }, (_, i) => [`${i}_test.ts`, PASSES])),
        "z_test.ts": 'const n: number = "x"; console.log(n);',
      },
      "0 passed, 1 failed",
    ],
    "one fails": [
      { "a_test.ts": `${PASSES}Deno.test("fails", () => { throw new Error("no"); });` },
      "1 passed, 1 failed",
    ],
    "one leaks a timer": [
      { "a_test.ts": `${PASSES}Deno.test("leaks", () => { setTimeout(() => {}, 60_000); });` },
      "1 passed, 1 failed",
    ],
    "one is skipped": [
      { "a_test.ts": `${PASSES}Deno.test.ignore("skipped", () => {});` },
      "1 passed, 1 failed",
    ],
    "a module throws": [
      { "a_test.ts": PASSES, "b_test.ts": 'throw new Error("no");' },
      "1 passed, 1 failed",
    ],
    "a module has a wrong type": [
      { "a_test.ts": 'const n: number = "x"; console.log(n);' },
      "0 passed, 1 failed",
    ],
    "a module holds no test": [{ "a_test.ts": "export {};" }, "0 passed, 1 failed"],
    "no file": [{}, "0 passed, 1 failed"],
  };
  for (const [name, [files, closing]] of Object.entries(cases)) {
    await t.step(name, async () => {
      await withTests(files, async (folder) => {
        const { code, lines } = await testTask([`--folder=${folder}`]);
        assert.equal(lines.at(-1), closing, lines.join("\n"));
        assert.equal(code, closing.endsWith(" 0 failed") ? 0 : 1);
      });
    });
  }
});

Deno.test("The last lines say what failed: in a test, outside of one, before the process died", async () => {
  const assertion =
    `import assert from "node:assert/strict"; Deno.test("a", () => assert.equal(1, 2));`;
  const many = Object.fromEntries(Array.from({ length: 40 }, (_, i) => [`${i}_test.ts`, PASSES]));
  const cases: [Record<string, string>, RegExp][] = [
    [{ "a_test.ts": assertion }, /^Failed: \S+a_test\.ts: a\n.*AssertionError.*\n +1 !== 2\n/m],
    [
      { "a_test.ts": `${assertion} Deno.test("b", () => Deno.kill(Deno.pid, "SIGKILL"));` },
      /Failed: .* SIGKILL, .*\n[^]*1 !== 2\n +at file:\S+a_test\.ts:1:\d+\n/m,
    ],
    [
      { ...many, "a_test.ts": 'void Promise.reject(new Error("lost"));' },
      /^Failed: \S+a_test\.ts\n.*Error: lost\n/m,
    ],
  ];
  for (const [files, says] of cases) {
    await withTests(files, async (folder) => {
      const { lines } = await testTask([`--folder=${folder}`]);
      assert.match(lines.slice(-45).join("\n"), says);
    });
  }
});

Deno.test("A run that is stopped before its first test has failed", async () => {
  const many = Object.fromEntries(Array.from({ length: 40 }, (_, i) => [`${i}_test.ts`, PASSES]));
  const { addSignalListener } = Deno;
  try {
    Deno.addSignalListener = (_, stop) => stop();
    await withTests(many, async (folder) => {
      const { passed, failed } = await runTests({ filters: [], folder, typesChecked: true });
      assert.deepEqual([passed, failed], [0, 1]);
    });
  } finally {
    Deno.addSignalListener = addSignalListener;
  }
});

Deno.test("Tests whose needs cannot be met fail, and say what to install", async () => {
  await withTests({ "a_kafka_test.ts": PASSES }, async (folder) => {
    const { code, lines, err } = await testTask([`--folder=${folder}`], { PATH: "/nonexistent" });
    assert.deepEqual([code, lines.at(-1)], [1, "0 passed, 1 failed"]);
    assert.match(err, /Cannot continue without java/);
  });
});
