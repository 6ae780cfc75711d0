/** Standard output holds results alone, whatever the code of users logs. */
import assert from "node:assert/strict";
import { framelane } from "../support/framelane.ts";
import { withLog } from "../support/log.ts";

const METHODS = ["log", "info", "debug", "dir", "dirxml", "count", "group", "trace", "warn"];

for (const executors of ["0", "1"]) {
  Deno.test(`With --json and --executors ${executors} the console of a query writes elsewhere`, async () => {
    await withLog(async (url, log, directory) => {
      await log.createTopic("VideoStreaming", 1);
      const module = `${directory}/noisy.ts`;
      await Deno.writeTextFile(
        module,
        `import { display, query } from ${
          JSON.stringify(import.meta.resolve("../../runtime/mod.ts"))
        };
        for (const method of ${JSON.stringify(METHODS)}) console[method]("noise of " + method);
        console.table([{ noise: "of table" }]);
        globalThis.console = { ...console };
        console.time("noise of time");
        console.timeEnd("noise of time");
        export default query("noisy").readStream().writeStream(display());`,
      );
      const options = ["--json", "--port", "off", "--trigger", "available-now"];
      const { code, process } = await framelane(
        ["queries", module, "--log", url, "--executors", executors, ...options],
      );
      assert.equal(code, 0, process.output());
      assert.match(process.output(), /noise of dir/);
    });
  });
}
