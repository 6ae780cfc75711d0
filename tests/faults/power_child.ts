/**
 * The process that loses power in `power_loss.ts`: appends to two partitions and commits batches, and prints what was
 * acknowledged, a JSON object a line.
 */
import { openLog } from "../../runtime/log/open.ts";
import { powerRecord } from "./power_record.ts";

const [url, count] = Deno.args as [string, string];
const log = await openLog(url);
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
  // Longer than the interval of syncing, so that crashes come before and after it.
  if (i % 15 === 0) await new Promise((resolve) => setTimeout(resolve, 300));
}
await log.close();
