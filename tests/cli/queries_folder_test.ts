import assert from "node:assert/strict";
import { findQuery } from "../../cli/queries_folder.ts";
import { withFolder } from "../support/folder.ts";

Deno.test("a query is called what its definition says; its file's name counts where that is not known", async () => {
  await withFolder(async (folder) => {
    const nameOf = async (code: string) => {
      await Deno.writeTextFile(`${folder}/entrance.ts`, code);
      return findQuery(`${folder}/entrance.ts`).name;
    };
    assert.equal(await nameOf(`export default query("people").readStream()`), "people");
    assert.equal(
      await nameOf(`// query("old")\nexport default () =>\n  query(\n    'people')`),
      "people",
    );
    assert.equal(await nameOf(`export { default } from "./other.ts";`), "entrance");
    assert.equal(await nameOf(`const a = query("a"); const b = query("b");`), "entrance");
  });
});

Deno.test("the queries that come with Framelane are called as their files are", () => {
  for (const { name } of Deno.readDirSync("queries")) {
    if (name.endsWith(".ts")) assert.equal(findQuery(name.slice(0, -3)).name, name.slice(0, -3));
  }
});
