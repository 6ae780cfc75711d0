/** Queries on Kafka that wait for nothing that does not come: markers, ticks, first offsets. */
import assert from "node:assert/strict";
import { Driver } from "../../../runtime/driver/driver.ts";
import "../../../runtime/image/mod.ts";
import type { ReadStreamOptions } from "../../../runtime/definition/source_options.ts";
import type { TopicLog } from "../../../runtime/log/log.ts";
import { records } from "../../support/frames.ts";
import { uniqueName, withKafkaLog } from "../../support/kafka.ts";

const PASSTHROUGH = new URL("../../../queries/passthrough.ts", import.meta.url).href;

interface Run {
  readonly sinks?: readonly string[];
  readonly trigger?: string;
  readonly source?: ReadStreamOptions;
}

async function started(
  [url, log]: [string, TopicLog],
  topic: string,
  group: string,
  { sinks = [], trigger, source = { startingOffsets: "earliest" } }: Run = {},
): Promise<Driver> {
  const driver = new Driver({
    log,
    logUrl: url,
    queries: [{
      name: "passthrough",
      topic,
      module: PASSTHROUGH,
      group,
      sinks,
      source,
      ...(trigger === undefined ? {} : { trigger }),
    }],
    executors: 0,
    progressIntervalMs: 0,
    report: () => {},
  });
  await driver.start();
  return driver;
}

async function append(log: TopicLog, topic: string, count: number): Promise<void> {
  const producer = await log.producer();
  await producer.append(topic, 0, records(1, count));
  await producer.close();
}

Deno.test("a query behind another one is done although a transaction's marker comes last", async () => {
  await withKafkaLog(async (url, log) => {
    const [topic, out] = [uniqueName("source"), uniqueName("out")];
    for (const name of [topic, out]) await log.createTopic(name, 1);
    const first = await started([url, log], topic, uniqueName("a"), { sinks: [`topic:${out}`] });
    const second = await started([url, log], out, uniqueName("b"));
    try {
      await append(log, topic, 5);
      await first.streams.processAllAvailable();
      await second.streams.processAllAvailable();
      const [query] = second.streams.all;
      assert.equal(query!.totals.frames, 5);
      const [source] = query!.lastProgress!.sources;
      assert.deepEqual(source!.endOffset, source!.latestOffset);
      assert.equal(query!.status.isDataAvailable, false);
    } finally {
      await Promise.all([first.stop(), second.stop()]);
    }
  });
});

Deno.test("the first tick of an interval takes what is there", async () => {
  await withKafkaLog(async (url, log) => {
    const topic = uniqueName("source");
    await log.createTopic(topic, 1);
    await append(log, topic, 6);
    const driver = await started([url, log], topic, uniqueName("g"), { trigger: "interval:1h" });
    try {
      await driver.streams.processAllAvailable();
      assert.equal(driver.streams.all[0]!.totals.frames, 6);
    } finally {
      await driver.stop();
    }
  });
});

Deno.test("frames between two starts at latest without a batch are processed", async () => {
  await withKafkaLog(async (url, log) => {
    const [topic, group] = [uniqueName("source"), uniqueName("g")];
    await log.createTopic(topic, 1);
    await append(log, topic, 2);
    const source = { startingOffsets: "latest" } as const;
    await (await started([url, log], topic, group, { source })).stop();
    await append(log, topic, 4);
    const driver = await started([url, log], topic, group, { source });
    try {
      await driver.streams.processAllAvailable();
      assert.equal(driver.streams.all[0]!.totals.frames, 4);
    } finally {
      await driver.stop();
    }
  });
});
