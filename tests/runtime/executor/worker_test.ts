import assert from "node:assert/strict";
import { startWorker } from "../../../runtime/driver/executor_link.ts";
import { withLog } from "../../support/log.ts";

const SCHED_IDLE = "5";

/** Scheduling policies of the threads of this process. */
function policies(): (string | undefined)[] {
  return [...Deno.readDirSync("/proc/self/task")].map(({ name }) => {
    const stat = Deno.readTextFileSync(`/proc/self/task/${name}/stat`);
    // The 41st field; the second one, in brackets, may hold spaces.
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[38];
  });
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
      assert.equal(policies().filter((policy) => policy === SCHED_IDLE).length, 1);
      await link.close(10_000);
    });
  },
});
