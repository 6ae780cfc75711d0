import assert from "node:assert/strict";
import { ROOT } from "../../tools/paths.ts";
import { parseArguments, settle } from "../../tools/test.ts";

Deno.test("Arguments of the test task: filters, and flags of deno test after --", () => {
  assert.deepEqual(parseArguments(["--unit", "tests/cli", "--", "--fail-fast"]), {
    unit: true,
    filters: ["tests/cli"],
    flags: ["--fail-fast"],
  });
  assert.throws(() => parseArguments(["--fail-fast"]), /Unknown option --fail-fast/);
});

Deno.test("Counts and exit code cannot disagree", () => {
  const none = { passed: 0, failed: 0, ignored: 0 };
  assert.equal(settle(none, 0).failed, 1, "no test at all");
  assert.equal(settle({ ...none, passed: 3 }, 1).failed, 1, "failed outside of a test");
  assert.equal(settle({ ...none, passed: 3, ignored: 2 }, 0).failed, 2, "skipped tests");
  assert.equal(settle({ ...none, passed: 3, failed: 2 }, 1).failed, 2);
  assert.equal(settle({ ...none, passed: 3 }, 0).failed, 0);
});

async function testTask(filter: string): Promise<{ code: number; lines: string[] }> {
  const { code, stdout } = await new Deno.Command(Deno.execPath(), {
    cwd: ROOT,
    args: ["run", "--allow-all=false", "tools/test.ts", filter].filter((a) =>
      a !== "--allow-all=false"
    ),
    env: { NO_COLOR: "1" },
    stdin: "null",
    stderr: "null",
  }).output();
  return { code, lines: new TextDecoder().decode(stdout).trimEnd().split("\n") };
}

Deno.test("The test task fails when no file matches", async () => {
  const { code, lines } = await testTask("no-such-file");
  assert.equal(code, 1);
  assert.equal(lines.at(-1), "0 passed, 1 failed");
});
