import assert from "node:assert/strict";
import { join } from "../../tools/paths.ts";
import { documentationFaults } from "../../tools/public_docs.ts";

Deno.test("What is public and has no description is found", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const file = join(folder, "mod.ts");
    await Deno.writeTextFile(
      file,
      [
        "/** Has one. */ export function told(): void {}",
        "export function untold(): void {}",
        "interface Hidden { x: number }",
        "/** Has one. */ export class Thing {",
        "  /** Has one. */ told(): void {}",
        "  untold(hidden: Hidden): void { this.#own(hidden); }",
        "  #own(_: Hidden): void {}",
        "}",
      ].join("\n"),
    );
    const faults = await documentationFaults([file]);
    assert.deepEqual(faults.map((fault) => fault.replace(/^\S+ /, "")), [
      "untold has no description",
      "Thing.untold has no description",
      "public type 'Thing.prototype.untold' references private type 'Hidden'",
    ]);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
