import assert from "node:assert/strict";
import type { Lane } from "../../runtime/lanes.ts";
import { History } from "../../viewer/history.ts";
import { LogFeed } from "../../viewer/log_feed.ts";
import { FakeLanes, paintCode } from "../support/fake_lanes.ts";
import { openPatiently, uniqueName } from "../support/kafka.ts";
import { until } from "./kit.ts";

const BEGIN = 1_700_000_000_000;

Deno.test("looking back and live on Kafka, over the markers of transactions", async () => {
  const source = uniqueName("viewer");
  const output = `${source}-out`;
  const log = await openPatiently();
  try {
    await log.createTopic(source, 1);
    await log.createTopic(output, 1);
    const producer = await log.producer();
    const record = (offset: number) => ({
      key: "CAMERA-1",
      value: paintCode(0, offset, 32, 16),
      timestamp: BEGIN + offset * 100,
      headers: {},
    });
    await producer.append(source, 0, Array.from({ length: 40 }, (_, offset) => record(offset)));
    const committer = await log.committer({
      group: source,
      query: "grey",
      topic: source,
      partition: 0,
      outputTopics: [output],
    });
    // Four batches of ten: after each there is a marker, an offset without a record.
    for (let batchId = 0; batchId < 4; batchId++) {
      const [start, end] = [batchId * 10, batchId * 10 + 10];
      await committer.plan({ batchId, start, end });
      await committer.commit(
        { batchId, start, end },
        { end, restart: end },
        Array.from({ length: 10 }, (_, index) => ({
          ...record(start + index),
          topic: output,
          partition: 0,
          headers: { "source-offset": String(start + index) },
        })),
      );
    }
    const history = new History({ log, outputTopics: { grey: output } });
    const lane: Lane = { ...new FakeLanes({ count: 1 }).lanes()[0]!, topic: source };
    assert.equal((await history.at(lane, 17))!.offset, 17);
    assert.equal((await history.step(lane, 17, -1))!.offset, 16);
    assert.equal((await history.atTime(lane, BEGIN + 2_550))!.offset, 25);
    const grey = { ...lane, query: "grey" };
    assert.deepEqual((await history.at(grey, 33))!.headers, { "source-offset": "33" });
    const outputs = { ...lane, topic: output };
    // Offsets 10 and 21 are markers.
    assert.equal((await history.step(outputs, 9, 1))!.offset, 11);
    assert.equal((await history.step(outputs, 11, -1))!.offset, 9);
    assert.equal((await history.step(outputs, 22, -1))!.offset, 20);
    assert.equal((await history.atTime(outputs, BEGIN + 1e9))!.timestamp, BEGIN + 3_900);
    const { latest } = await history.range(outputs);
    assert.equal(await history.at(outputs, latest - 1), undefined, "the last marker");
    await history.close();

    const feed = new LogFeed({ log, topics: [source], pollMs: 50 });
    await feed.start();
    let newest = -1;
    feed.subscribe(({ offset }) => void (newest = offset));
    feed.demand(new Map([["raw-0", "pictures"]]));
    await until(() => newest === 39);
    await producer.append(source, 0, [{ ...record(40), timestamp: Date.now() }]);
    await until(() => newest === 40);
    await feed.close();
    await committer.close();
    await producer.close();
  } finally {
    await log.close();
  }
});
