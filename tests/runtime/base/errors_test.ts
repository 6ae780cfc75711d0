import assert from "node:assert/strict";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { placeOf } from "../../../runtime/base/errors.ts";
import { withFolder } from "../../support/folder.ts";

Deno.test("the place of an error is found in any folder, on the main thread and in a worker", async () => {
  await withFolder(async (folder) => {
    const file = join(folder, "Räume (1) für 50 % & mehr.ts");
    const program = "export const { stack } = new Error(`from http://cam:1:2`);\n" +
      "(globalThis as any).postMessage?.(stack);";
    await Deno.writeTextFile(file, program);
    const { href } = pathToFileURL(file);
    const place = { file, line: 1, column: 26 };
    assert.deepEqual(placeOf(await import(href)), place);
    const worker = new Worker(href, { type: "module" });
    const stack = await new Promise((resolve) => {
      worker.onmessage = ({ data }) => resolve(data);
    });
    worker.terminate();
    assert.deepEqual(placeOf({ stack }), place);
  });
});
