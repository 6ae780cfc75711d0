/**
 * The other process of the contract tests. One JSON object a line on standard output.
 *
 * - `append URL TOPIC PARTITION COUNT`: appends `child0`, `child1`, …, one call each; then ends.
 * - `create URL TOPIC PARTITION COUNT`: the same, after it created the topic.
 * - `stream URL TOPIC PARTITION`: the same without end; prints the offset of each append. Has to be killed.
 * - `batches URL TOPIC GROUP OUT COUNT [MOST]`: continues with the checkpoint of query `q` on partition 0 until COUNT
 *   source offsets are done, two a batch, one record for OUT for each; prints each commit; then ends. After MOST
 *   batches it waits until it is killed.
 * - `member URL TOPIC GROUP SESSION-MS OUT`: joins the group; prints each assignment. Each line on
 *   standard input names a partition: plans and commits batch 0 of query `q` there, with one record
 *   for topic OUT, and prints how that ended. Ends when standard input ends.
 */
import { type BatchCommitter, LogError } from "../../runtime/log/log.ts";
import { openLog } from "../../runtime/log/open.ts";
import { record } from "./log_contract_kit.ts";

const print = async (object: Record<string, unknown>) => {
  await Deno.stdout.write(new TextEncoder().encode(JSON.stringify(object) + "\n"));
};

const [mode, url, topic, ...rest] = Deno.args as [string, string, string, ...string[]];
const log = await openLog(url);
try {
  if (mode === "create") await log.createTopic(topic, Number(rest[0]) + 1);
  if (mode === "append" || mode === "create") {
    const [partition, count] = rest.map(Number) as [number, number];
    const producer = await log.producer();
    for (let i = 0; i < count; i++) await producer.append(topic, partition, [record(`child${i}`)]);
    await print({ appended: count });
  } else if (mode === "stream") {
    const producer = await log.producer();
    for (let i = 0;; i++) {
      const value = new Uint8Array(20_000).fill(i % 251);
      const offset = await producer.append(topic, Number(rest[0]), [
        record(value, { headers: { seq: `${i}` } }),
      ]);
      await print({ seq: i, offset });
    }
  } else if (mode === "batches") {
    const [group, out, count, most] = rest as [string, string, string, string?];
    let left = Number(most ?? Infinity);
    const owned = { group, query: "q", topic, partition: 0, outputTopics: [out] };
    const committer = await log.committer(owned);
    await print({ committed: committer.committed ?? null, planned: committer.planned ?? null });
    while ((committer.committed?.end ?? 0) < Number(count)) {
      const start = committer.committed?.end ?? 0;
      const batchId = (committer.committed?.batchId ?? -1) + 1;
      const batch = committer.planned ?? { batchId, start, end: start + 2 };
      await committer.plan(batch);
      const outputs = [];
      for (let offset = batch.start; offset < batch.end; offset++) {
        outputs.push({ topic: out, partition: 0, ...record(`output ${offset}`) });
      }
      await committer.commit(batch, { end: batch.end, restart: batch.end }, outputs);
      await print({ done: batch.batchId });
      if (--left === 0) await new Response(Deno.stdin.readable).text();
    }
    await print({ finished: true });
  } else if (mode === "member") {
    const [group, session, out] = rest as [string, string, string];
    const committers = new Map<number, BatchCommitter>();
    const member = await log.joinGroup({
      group,
      topic,
      sessionTimeoutMs: Number(session),
      onAssignment: async ({ partitions, membership }) => {
        for (const partition of partitions) {
          if (committers.has(partition)) continue;
          committers.set(
            partition,
            await log.committer({
              group,
              query: "q",
              topic,
              partition,
              outputTopics: [out],
              membership,
            }),
          );
        }
        await print({ assigned: [...partitions], membership });
      },
    });
    let buffered = "";
    for await (const chunk of Deno.stdin.readable.pipeThrough(new TextDecoderStream())) {
      const lines = (buffered + chunk).split("\n");
      buffered = lines.pop()!;
      for (const line of lines) {
        const [partition, repeatable] = [Number.parseInt(line), line.endsWith("repeatable")];
        const batch = { batchId: 0, start: 0, end: 1 };
        try {
          const committer = committers.get(partition)!;
          await committer.plan(batch);
          const output = { topic: out, partition, ...record("from the child") };
          const outputs = repeatable ? [] : [output];
          await committer.commit(batch, { end: 1, restart: 1 }, outputs, { repeatable });
          await print({ committed: true });
        } catch (error) {
          await print({ code: error instanceof LogError ? error.code : String(error) });
        }
      }
    }
    await member.leave();
  }
} catch (error) {
  if (!(error instanceof LogError)) throw error;
  await print({ code: error.code, message: error.message });
} finally {
  await log.close();
}
