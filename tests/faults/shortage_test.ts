/** A runtime without file handles. */
import { handles, shortageTrial } from "./shortage.ts";

Deno.test("out of file handles: said by name, and when they are back everything is there once", async () => {
  const folder = await Deno.makeTempDir({ prefix: "framelane-test-" });
  try {
    // Long enough for a spare executor to be wanted.
    await shortageTrial(handles(folder, 2500));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
