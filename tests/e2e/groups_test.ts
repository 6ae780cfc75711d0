/**
 * Several runtimes share one topic on the embedded log.
 */
import assert from "node:assert/strict";
import { LogError, type TopicLog } from "../../runtime/log/log.ts";
import { FramelaneProcess } from "../support/framelane.ts";
import { readAll, whilePublishing, withLog } from "../support/log.ts";

const queries = (url: string, ...more: string[]) =>
  new FramelaneProcess([
    ...["queries", "passthrough", "--log", url, "--group", "shared", "--sink", "topic:OUT"],
    ...["--starting-offsets", "earliest", "--executors", "1", "--json", ...more],
  ]);

const runtime = (url: string) => queries(url, "--session-timeout", "1500", "--port", "off");

async function check(log: TopicLog, partitions: number, total: number): Promise<void> {
  for (let partition = 0; partition < partitions; partition++) {
    const out = await readAll(log, "OUT", partition);
    assert.deepEqual(
      out.map(({ headers }) => Number(headers["source-offset"])),
      Array.from({ length: total }, (_, i) => i),
      `partition ${partition}: every frame once, in order`,
    );
  }
}

const took = (process: FramelaneProcess, partition: number) =>
  process.said.some((line) => line.includes(`QUERY-PARTITION-${partition} reads`)) ||
  process.progress(partition).length > 0;

/**
 * Freezes a process at a moment when it holds no lock of the log: on the embedded log a process
 * that is frozen inside a write keeps all others from writing until it continues.
 */
async function stopOutsideAWrite(process: FramelaneProcess, log: TopicLog): Promise<void> {
  for (;;) {
    await process.freeze();
    try {
      // Writes to the records and to the checkpoints.
      const committer = await log.committer({
        group: "l",
        query: "l",
        topic: "LOCK",
        partition: 0,
      });
      await committer.close();
      return;
    } catch (error) {
      if (!(error instanceof LogError) || !error.retryable) throw error;
      process.signal("SIGCONT");
    }
  }
}

for (const how of ["SIGINT", "SIGKILL", "SIGSTOP"] as const) {
  Deno.test(`a runtime that ends by ${how} hands its partitions on: nothing lost, doubled or reordered`, async () => {
    await withLog(async (url, log) => {
      await log.createTopic("VideoStreaming", 4);
      await log.createTopic("LOCK", 1);
      const first = runtime(url);
      let second: FramelaneProcess;
      const total = await whilePublishing(log, 4, async () => {
        await first.until("all partitions", (p) => [0, 1, 2, 3].every((n) => took(p, n)));
        second = runtime(url);
        await second.until(
          "some partitions",
          (p) => [0, 1, 2, 3].filter((n) => took(p, n)).length >= 2,
        );
        if (how === "SIGSTOP") await stopOutsideAWrite(first, log);
        else first.signal(how);
        await second.until("the other partitions", (p) => [0, 1, 2, 3].every((n) => took(p, n)));
        if (how === "SIGSTOP") {
          // The zombie wakes up, and finds that its partitions are another's.
          first.signal("SIGCONT");
          await first.until("partitions again", (p) => p.said.length + p.lines.length >= 0);
        }
      });
      await first.stop();
      await second!.stop();
      const rest = queries(url, "--trigger", "available-now");
      assert.equal(await rest.ended(), 0, rest.output());
      await check(log, 4, total);
    });
  });
}
