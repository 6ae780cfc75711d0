import assert from "node:assert/strict";
import { startInline, startWorker } from "../../../runtime/driver/executor_link.ts";
import { foreachBatch, query } from "../../../runtime/mod.ts";
import { CELL, newCells } from "../../../runtime/executor/protocol.ts";
import { records } from "../../support/frames.ts";
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

Deno.test("executor: one in the main thread is given up although a function of a sink never ends", async () => {
  await withLog(async (url, log) => {
    await log.createTopic("VideoStreaming", 1);
    const producer = await log.producer();
    await producer.append("VideoStreaming", 0, records(1, 1));
    await producer.close();
    const [called, over] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const closed = Promise.withResolvers<void>();
    const hangs = query("hangs").readStream({ startingOffsets: "earliest" })
      .writeStream(foreachBatch(async () => {
        called.resolve();
        await over.promise;
      }));
    const link = startInline("main", { log: url, progressIntervalMs: 1000 }, {
      onMessage: ({ type }) => type === "closed" && closed.resolve(),
      onPicture: () => {},
      onDeath: (_, error) => assert.fail(error),
    });
    const spec = {
      name: "hangs",
      topic: "VideoStreaming",
      module: { default: hangs },
      group: "g",
      sinks: [],
    };
    await link.load(1, spec);
    const cells = newCells();
    // As its owner, the lane may commit.
    Atomics.store(cells, CELL.run, 1n);
    link.post({ type: "start", lane: 1, plan: 1, partition: 0, runId: "r", cells });
    await called.promise;
    await link.close(1);
    over.resolve();
    await closed.promise;
  });
});
