/** Groups that are named after a query hold its checkpoint alone. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { exists } from "../../../../../runtime/base/folders.ts";
import { groupNames } from "../../../../../runtime/log/group_names.ts";
import { openLog } from "../../../../../runtime/log/open.ts";
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

Deno.test("a folder of checkpoints finds those of its own groups, and an absent one stays absent", () =>
  withKafkaLog(async (url, log, folder) => {
    const topic = uniqueName("topic"), query = uniqueName("query");
    await log.createTopic(topic, 1);
    const groups: string[] = [];
    for (const name of ["a", "b"]) {
      const named = await groupNames([query], undefined, url, join(folder, name));
      groups.push(named.get(query)!);
      const options = { group: groups.at(-1)!, query, topic, partition: 0 };
      const committer = await log.committer(options);
      await committer.plan({ batchId: 0, start: 0, end: 0 });
      await committer.close();
    }
    const listed = async (name: string) => {
      const opened = await openLog(url, { checkpointDir: join(folder, name) });
      try {
        return (await opened.checkpoints({ topic })).map(({ group }) => group);
      } finally {
        await opened.close();
      }
    };
    assert.deepEqual(await listed("a"), [`${groups[0]}/${query}`]);
    assert.deepEqual(await listed("b"), [`${groups[1]}/${query}`]);
    assert.deepEqual(await listed("absent"), []);
    assert.equal(await exists(join(folder, "absent")), false);
  }));
