/**
 * What `start` does on any log.
 *
 * @module
 */
import assert from "node:assert/strict";
import {
  display,
  type Frame,
  LogError,
  query,
  start,
  type StartOptions,
} from "../../../runtime/mod.ts";
import { foreachBatch } from "../../../runtime/sinks/mod.ts";
import type { TopicLog } from "../../../runtime/log/log.ts";
import { records } from "../../support/frames.ts";

async function append(log: TopicLog, topic: string, partition: number, count: number) {
  const producer = await log.producer();
  await producer.append(topic, partition, records(partition + 1, count));
  await producer.close();
}

/** The design's own example: a value, a listener, `processAllAvailable`, `stop`; and a second start. */
export async function startsAValue(url: string, log: TopicLog, topic: string): Promise<void> {
  await log.createTopic(topic, 2);
  await append(log, topic, 0, 5);
  await append(log, topic, 1, 3);
  const seen: string[] = [];
  const definition = query(`value-${topic}`)
    .readStream({ startingOffsets: "earliest" })
    .writeStream(
      display(),
      foreachBatch<Frame>((outputs) => {
        for (const { partition, offset } of outputs) seen.push(`${partition}:${offset}`);
      }),
    );
  const options: StartOptions = { log: url, topic, progressIntervalMs: 0, report: () => {} };
  const streams = await start(definition, options);
  const batches: string[] = [];
  const listener = {
    onQueryProgress: ({ progress }: { progress: { name: string } }) => batches.push(progress.name),
  };
  streams.addListener(listener);
  await streams.processAllAvailable();
  assert.deepEqual(seen.sort(), ["0:0", "0:1", "0:2", "0:3", "0:4", "1:0", "1:1", "1:2"]);
  const [first] = streams.active;
  assert.equal(streams.get(first!.id), first);
  assert.equal(streams.active.length, 2);
  streams.removeListener(listener);
  await streams.stop();
  await streams.stop();
  assert.deepEqual(streams.active, []);
  const ended = await streams.awaitAnyTermination();
  assert.ok(ended !== false && streams.all.includes(ended));

  streams.resetTerminated();
  assert.deepEqual(streams.all, []);

  await append(log, topic, 0, 1);
  await using again = await start(definition, options);
  await again.processAllAvailable();
  assert.deepEqual(seen.slice(8), ["0:5"]);
}

/** A module, in a worker, to its end. */
export async function startsAModule(url: string, log: TopicLog, topic: string): Promise<void> {
  await log.createTopic(topic, 1);
  await append(log, topic, 0, 4);
  const module = new URL("../../../queries/passthrough.ts", import.meta.url);
  await using streams = await start(module, {
    ...{ log: url, topic, executors: 1, report: () => {} },
    ...{ trigger: "available-now", startingOffsets: "earliest", queryName: `module-${topic}` },
  });
  const ended = await streams.awaitAnyTermination();
  assert.ok(ended !== false);
  assert.equal(ended.query, `module-${topic}`);
  assert.equal(ended.totals.frames, 4);
  await assert.rejects(
    start(module, { log: url, topic: `${topic}-not`, trigger: "once", report: () => {} }),
    (error) => error instanceof LogError && error.code === "TOPIC_MISSING",
  );
}
