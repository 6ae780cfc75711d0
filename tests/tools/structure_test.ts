import assert from "node:assert/strict";
import { hastyTests, longFiles, missingNames } from "../../tools/structure.ts";

Deno.test("A file of 350 lines passes, one of 351 does not", () => {
  const page = (lines: number) => ({ file: `${lines}.ts`, text: "x\n".repeat(lines) });
  assert.deepEqual(longFiles([page(350), page(351)]), [
    "351.ts has 351 lines: expected at most 350",
  ]);
});

Deno.test("Paths, tasks and names that a page mentions must exist", () => {
  const files = ["runtime/engine/intake.ts", "docs/up.md"];
  const sources = "export class Intake {}";
  const names = (text: string, all = true) =>
    missingNames({ file: "docs/a.md", text }, { files, sources, names: all });
  assert.deepEqual(
    names("`runtime/engine/` `runtime/engine/intake.ts` `intake.ts` `Intake` `deno task ok --fix`"),
    [],
  );
  assert.deepEqual(names("x\n`runtime/engine/feed.ts`"), [
    "docs/a.md:2 names `runtime/engine/feed.ts`, which does not exist",
  ]);
  assert.equal(names("`Outtake`, `deno task nothing`").length, 2);
  assert.equal(names("`Outtake`", false).length, 0);
  assert.deepEqual(names("```\n`Outtake`\n```"), []);
});

Deno.test("A test may not bound how long work takes, compare two clocks exactly, or take a URL for a path", () => {
  // Written so that this file breaks no rule.
  const found = (line: string, file = "tests/a_test.ts") =>
    hastyTests([{ file, text: `\n${line.replaceAll("[", "(")}` }]);
  const hasty = [
    "assert.ok(performance.now[) - begun < 2_000);",
    "if (clock.now[) - begun <= 5) return;",
    "assert.ok(stamp <= Date.now[));",
    "await reader.read(1, AbortSignal.timeout[5_000));",
    "await page.waitForURL[/order/, { timeout" + ": 5_000 });",
    "const child = new URL(`child.ts`, import.meta.url)" + ".pathname;",
  ];
  for (const line of hasty) {
    assert.match(found(line).join(), /^tests\/a_test\.ts:2 fails on another/);
  }
  const calm = [
    "while (performance.now() < end);",
    "assert.ok(performance.now() - begin >= 11 * 25);",
    "return timestamp <= Date.now() + DRIFT_MS;",
    "await reader.read(1, AbortSignal.timeout(PATIENCE_MS));",
  ];
  for (const line of calm) assert.deepEqual(found(line), [], line);
  assert.deepEqual(found(hasty[0]!, "tests/trials/a_test.ts"), []);
});
