import assert from "node:assert/strict";
import { longFiles, missingNames } from "../../tools/structure.ts";

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
