/** What Kafka remembers of findings: in the transaction of their batch, read by a wall elsewhere. */
import assert from "node:assert/strict";
import { ConfigResourceTypes } from "kafkajs";
import { alerts } from "../../queries/operators/alerts.ts";
import type { Frame, Output } from "../../runtime/definition/frame.ts";
import { query } from "../../runtime/definition/query.ts";
import { display } from "../../runtime/sinks/display.ts";
import { runQuery } from "../../runtime/testing.ts";
import { LogFeed } from "../../viewer/log_feed.ts";
import type { AlertView } from "../../viewer/protocol.ts";
import { startViewer } from "../../viewer/viewer.ts";
import { paintCode } from "../support/fake_lanes.ts";
import { openPatiently, uniqueName } from "../support/kafka.ts";
import { kafkajs } from "../support/kafkajs.ts";
import { TestPage, until } from "./kit.ts";

/** What a topic keeps of each partition, bytes, as Kafka says. */
async function retentionOf(name: string): Promise<number> {
  const admin = kafkajs().admin();
  await admin.connect();
  try {
    const { resources } = await admin.describeConfigs({
      includeSynonyms: false,
      resources: [{ type: ConfigResourceTypes.TOPIC, name, configNames: ["retention.bytes"] }],
    });
    return Number(resources[0]!.configEntries[0]!.configValue);
  } finally {
    await admin.disconnect();
  }
}

Deno.test("alerts on Kafka: each episode once, and what was found, on a wall that was started later", async () => {
  const topic = uniqueName("alerts");
  const log = await openPatiently();
  try {
    await log.createTopic(topic, 2);
    const producer = await log.producer();
    const now = Date.now();
    await producer.append(
      topic,
      1,
      Array.from({ length: 40 }, (_, offset) => ({
        key: "CAMERA-2",
        value: paintCode(1, offset, 64, 48),
        timestamp: now + 100 * offset,
        headers: {},
      })),
    );
    await producer.close();
    const open = (offset: number) => offset >= 5 && offset < 20 || offset >= 30;
    const definition = query("doors").readStream({ startingOffsets: "earliest" })
      .process({
        name: "scores",
        open: () => ({
          process: (frame: Frame): Output[] => [
            { ...frame, result: { scores: { door: open(frame.offset) ? 0.9 : 0.1 } } },
          ],
        }),
      })
      .process(alerts({ label: "door" }))
      .writeStream(display()).trigger("available-now");
    await runQuery(definition, { log, topic, partition: 1, group: topic });
    assert.equal(await log.partitionCount(`${topic}.alerts`), 2);
    assert.equal(await log.partitionCount(`${topic}.findings`), 2);
    assert.equal(await retentionOf(`${topic}.findings`), 64 * 1024 * 1024);

    const feed = new LogFeed({ log, topics: [topic] });
    await feed.start();
    const metrics = () => Promise.resolve("");
    const viewer = await startViewer({ feed, log, metrics, topics: [topic], port: 0 });
    try {
      const seen = async (): Promise<AlertView[]> =>
        await (await fetch(`${viewer.url}api/alerts`)).json();
      await until(async () => (await seen()).length === 2, "both are reported");
      assert.deepEqual(
        (await seen()).map(({ lane, camera, fromOffset, toOffset, active }) => [
          lane,
          camera,
          fromOffset,
          toOffset,
          active,
        ]),
        [["raw-1", "CAMERA-2", 5, 20, false], ["raw-1", "CAMERA-2", 30, 39, false]],
      );
      const page = await TestPage.open(viewer);
      page.watch("raw-1");
      for (const [offset, door] of [[7, 0.9], [3, 0.1]] as const) {
        await page.time({ action: "seek", lead: "raw-1", offset });
        await until(() => page.newest(0)?.offset === offset);
        assert.deepEqual(page.newest(0)!.result?.scores, { door });
      }
      await page.close();
    } finally {
      await viewer.stop();
      await feed.close();
    }
  } finally {
    await log.close();
  }
});
