/** What a commit is worth whose group has moved on. */
import assert from "node:assert/strict";
import {
  eventually,
  join,
  readAll,
  record,
  rejectsWith,
  text,
} from "../../contracts/log_contract_kit.ts";
import { openPatiently, uniqueName } from "../../support/kafka.ts";

Deno.test("a commit of an older generation writes nothing, and succeeds once renewed", async () => {
  const [topic, out, group] = [uniqueName("source"), uniqueName("out"), uniqueName("group")];
  const log = await openPatiently();
  const other = await openPatiently();
  try {
    await log.createTopic(topic, 2);
    const a = await join(log, { group, topic });
    await eventually("all partitions", () => a.held()?.length === 2);
    const [partition] = a.held()!;
    const before = a.membership();
    const owned = { group, query: "q", topic, partition: partition!, outputTopics: [out] };
    const committer = await log.committer({ ...owned, membership: before });
    const b = await join(other, { group, topic });
    await eventually("a share each", () => a.held()?.length === 1 && b.held()?.length === 1);
    assert.ok(a.membership().generation > before.generation);
    const batch = { batchId: 0, start: 0, end: 1 };
    const output = { topic: out, partition: 0, ...record("once") };
    await committer.plan(batch, false);
    const commit = () => committer.commit(batch, { end: 1, restart: 1 }, [output]);
    await rejectsWith("STALE_MEMBERSHIP", commit);
    assert.equal(committer.committed, undefined);
    committer.renew(a.membership());
    await commit();
    assert.deepEqual((await readAll(log, out, 0)).map((f) => text(f.value)), ["once"]);
    await committer.plan({ batchId: 1, start: 1, end: 2 });
    await committer.commit({ batchId: 1, start: 1, end: 2 }, { end: 2, restart: 2 }, []);
    await Promise.all([a.member.leave(), b.member.leave()]);
  } finally {
    await Promise.all([log.close(), other.close()]);
  }
});
