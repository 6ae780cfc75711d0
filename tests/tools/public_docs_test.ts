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
        "/** Has one. */",
        "export function told(): void {}",
        "export function untold(): void {}",
        "interface Hidden { x: number }",
        "/** Has one. */",
        "export class Thing {",
        "  constructor() {}",
        "  field = 1;",
        "  /** Has one. */",
        "  told(): void {}",
        "  static async *untold2<T>(_: T): AsyncGenerator<T> {}",
        "  untold(hidden: Hidden): void { this.#own(hidden); }",
        "  #own(_: Hidden): void {}",
        "}",
      ].join("\n"),
    );
    const faults = await documentationFaults([file]);
    assert.deepEqual(faults.map((fault) => fault.replace(/^\S+ /, "")).sort(), [
      "export function untold(): void {} has no description",
      "public type 'Thing.prototype.untold' references private type 'Hidden'",
      "static async *untold2<T>(_: T): AsyncGenerator<T> {} has no description",
      "untold(hidden: Hidden): void { this.#own(hidden); } has no description",
    ]);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
