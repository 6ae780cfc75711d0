/** Groups that are named after a query hold its checkpoint alone. */
import assert from "node:assert/strict";
import { rejectsWith } from "../../../../contracts/log_contract_kit.ts";
import { uniqueName, withKafkaLog } from "../../../../support/kafka.ts";

Deno.test("a group that holds another query's checkpoint is refused by name", () =>
  withKafkaLog(async (_url, log) => {
    const topic = uniqueName("topic");
    await log.createTopic(topic, 1);
    const group = uniqueName("group") + "-far-door";
    const open = (query: string) => log.committer({ group, query, topic, partition: 0 });
    const committer = await open("door");
    await committer.plan({ batchId: 0, start: 0, end: 0 });
    await committer.close();
    // One would use the same offsets, the other would write its copy over them.
    for (const query of ["far-door", "window"]) {
      const { message } = await rejectsWith("INVALID", () => open(query));
      assert.match(
        message,
        /group \S+-far-door is named after query door and holds its checkpoint/,
      );
    }
    await (await open("door")).close();
  }));
