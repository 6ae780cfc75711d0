/**
 * The process that loses power in `power_loss.ts`: appends to two partitions and commits batches, and prints what was
 * acknowledged, a JSON object a line.
 */
import { EmbeddedLog } from "../../runtime/log/embedded/log.ts";
import { FakeClock } from "../../runtime/testing/fake_clock.ts";
import { until } from "../support/until.ts";
import { powerRecord } from "./power_record.ts";

const [url, count] = Deno.args as [string, string];
// A second is over when this says so, however slow the machine is.
const clock = new FakeClock(Date.now());
const log = new EmbeddedLog(url, { clock });
await log.createTopic("t", 2);
const print = (object: unknown) =>
  void Deno.stdout.writeSync(new TextEncoder().encode(JSON.stringify(object) + "\n"));

const producer = await log.producer();
const committer = await log.committer({
  group: "g",
  query: "q",
  topic: "t",
  partition: 0,
  outputTopics: ["out"],
});
for (let i = 0; i < Number(count); i++) {
  const offsets = await Promise.all(
    [0, 1].map((partition) => producer.append("t", partition, [powerRecord("t", partition, i)])),
  );
  print({ appended: offsets });
  if (i % 3 !== 0) continue;
  const batch = { batchId: i / 3, start: i, end: i + 1 };
  await committer.plan(batch);
  const output = { topic: "out", partition: 0, ...powerRecord("out", 0, batch.batchId) };
  await committer.commit(batch, { end: i + 1, restart: i + 1 }, [output]);
  print({ committed: batch.batchId });
  if (i % 15 !== 0) continue;
  await clock.advance(1_000);
  await until("the end of the upkeep", () => clock.sleeping === 1);
  print({ synced: i });
  // Crashes come while nothing happens, too.
  await new Promise((resolve) => setTimeout(resolve, 300));
}
await log.close();
