/** A topic that is deleted and created again while a batch of it is in flight. */
import assert from "node:assert/strict";
import { uniqueName, withAdmin, withKafkaLog } from "../../../../support/kafka.ts";
import { until } from "../../../../support/until.ts";
import { record } from "../net/lies_kit.ts";

Deno.test("a commit of the topic that was does not count for the one that is", () =>
  withKafkaLog(async (_url, log) => {
    const [topic, query] = [uniqueName("was"), uniqueName("q")];
    const options = { group: query, query, topic, partition: 0 };
    await log.createTopic(topic, 1);
    const first = await log.committer(options);
    assert.equal(await first.recreated!(), false);
    await first.plan({ batchId: 0, start: 0, end: 10 });
    await withAdmin((admin) => admin.deleteTopics({ topics: [topic] }));
    await until("the topic is gone", async () => await log.partitionCount(topic) === 0);
    await log.createTopic(topic, 1);
    const producer = await log.producer();
    await producer.append(topic, 0, Array(20).fill(record));
    await first.commit({ batchId: 0, start: 0, end: 10 }, { end: 10, restart: 10 }, []);
    await first.close();
    const planning = await log.committer(options);
    await planning.plan({ batchId: 1, start: 10, end: 12 });
    await planning.close();
    const second = await log.committer(options);
    assert.equal(second.committed?.end, 10);
    assert.equal(await second.recreated!(), true);
    await second.commit({ batchId: 1, start: 10, end: 12 }, { end: 12, restart: 12 }, []);
    await second.close();
    const crashed = await log.committer(options);
    assert.equal(await crashed.recreated!(), true, "the commit of the planned batch hid it");
    await crashed.plan({ batchId: 2, start: 0, end: 0 });
    await crashed.commit({ batchId: 2, start: 0, end: 0 }, { end: 0, restart: 0 }, []);
    await crashed.close();
    const third = await log.committer(options);
    assert.equal(await third.recreated!(), false);
    await third.close();
  }));
