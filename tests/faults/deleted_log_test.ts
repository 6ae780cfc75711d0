/** A log that is deleted under a camera and a query. */
import { deletedUnder } from "./deleted_log.ts";

Deno.test("the log is deleted under a camera and a query: both say so and end with 1", async () => {
  await deletedUnder();
});
