/** A runtime without file handles. */
import { withFolder } from "../support/folder.ts";
import { handles, shortageTrial } from "./shortage.ts";

Deno.test("out of file handles: said by name, and when they are back everything is there once", async () => {
  // Long enough for a spare executor to be wanted.
  await withFolder((folder) => shortageTrial(handles(folder, 2500)));
});
