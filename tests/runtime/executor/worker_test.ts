import assert from "node:assert/strict";
import { startWorker } from "../../../runtime/driver/executor_link.ts";
import { withLog } from "../../support/log.ts";

/** Priorities (niceness) of the threads of this process. */
async function priorities(): Promise<(string | undefined)[]> {
  const args = ["-c", `cat /proc/${Deno.pid}/task/*/stat`];
  const { stdout } = await new Deno.Command("sh", { args }).output();
  // The 19th field; the second one, in brackets, may hold spaces.
  return new TextDecoder().decode(stdout).trim().split("\n")
    .map((stat) => stat.slice(stat.lastIndexOf(")") + 2).split(" ")[16]);
}

Deno.test({
  name: "executor: one that is to work behind all others does so from its start",
  ignore: Deno.build.os !== "linux",
  async fn() {
    await withLog(async (log) => {
      const link = startWorker("late", { log, progressIntervalMs: 1000 }, {
        onMessage: () => {},
        onPicture: () => {},
        onDeath: (_, error) => assert.fail(error),
      });
      // Its thread has no number yet.
      link.yieldToOthers();
      await link.ready;
      // Threads that it starts itself are behind the others too.
      assert.ok((await priorities()).includes("10"));
      await link.close(10_000);
    });
  },
});
