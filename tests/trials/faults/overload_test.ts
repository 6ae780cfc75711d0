/** A sink ten times too slow, viewers that never read and a camera at ten times its rate, for ten minutes. */
import { withLog } from "../../support/log.ts";
import { longOverload } from "./overload.ts";

Deno.test("a slow sink, viewers that never read and a fast camera, ten minutes", async () => {
  await withLog((url, log) => longOverload("embedded log", url, log));
});
