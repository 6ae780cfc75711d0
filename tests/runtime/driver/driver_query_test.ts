import assert from "node:assert/strict";
import { type DriverParts, DriverQuery } from "../../../runtime/driver/driver_query.ts";
import type { GroupMember, GroupOptions } from "../../../runtime/log/log.ts";
import { FakeClock, MemoryLog } from "../../../runtime/testing.ts";
import type { QuerySpec } from "../../../runtime/executor/protocol.ts";
import { LOADED, SPEC } from "./fake_pool.ts";

/** Lanes of a query that is assigned nothing. */
const IDLE = { begin: () => assert.fail("Nothing was assigned"), endAll: () => Promise.resolve() };

function queryOn(
  log: MemoryLog,
  lanes: object = IDLE,
  { report = () => {}, ...changes }: Partial<QuerySpec> & Partial<Pick<DriverParts, "report">> = {},
): DriverQuery {
  const parts = {
    log,
    clock: new FakeClock(),
    pool: { load: () => Promise.resolve(LOADED), unload: () => {} },
    report,
    metrics: { rebalances: { inc: () => {} } },
    lanes,
  };
  return new DriverQuery({ ...SPEC, ...changes }, parts as unknown as DriverParts);
}

Deno.test("a query that has a checkpoint says that starting offsets are for the first start", async () => {
  const log = new MemoryLog();
  await log.createTopic(SPEC.topic, 3);
  const { group, name: query, topic } = SPEC;
  for (const partition of [0, 2]) {
    const committer = await log.committer({ group, query, topic, partition, outputTopics: [] });
    await committer.plan({ batchId: 0, start: 0, end: 0 }, true);
    await committer.close();
  }
  const said = async (changes: Partial<QuerySpec>) => {
    const lines: string[] = [];
    const report = (line: string) => void lines.push(line);
    const lanes = { begin: () => {}, endAll: () => Promise.resolve() };
    const query = queryOn(log, lanes, { report, ...changes });
    await query.find();
    await query.begin();
    await query.end("drain");
    return lines;
  };
  const source = { startingOffsets: "earliest" } as const;
  const [all, ...more] = await said({ source });
  assert.match(
    all!,
    /^q continues from its checkpoint on partition 0, 2: starting offsets are for/,
  );
  assert.deepEqual(more, []);
  assert.match((await said({ source, partitions: [1, 2] }))[0]!, /on partition 2:/);
  assert.deepEqual(await said({ source, partitions: [1] }), []);
  assert.deepEqual(await said({ source, group: "other" }), []);
  assert.deepEqual(await said({ source: { maxFramesPerTrigger: 1 } }), []);
});

Deno.test("a module that is never loaded is named after a minute", async () => {
  const clock = new FakeClock();
  const spec = { name: "q", topic: "T", module: "file:///q.ts", group: "g", sinks: [] };
  const parts: Pick<DriverParts, "clock" | "pool" | "report"> = {
    clock,
    pool: { load: () => new Promise(() => {}), unload: () => {} },
    report: () => {},
  };
  // Loading needs no more of what queries have in common.
  const query = new DriverQuery(spec, parts as DriverParts);
  const loading = assert.rejects(
    query.load(),
    /Loading query q from file:\/\/\/q.ts took longer than 60000 ms/,
  );
  await clock.advance(60_000);
  await loading;
});

Deno.test("a query that is stopped while it joins its group leaves again, and waits for nothing", async () => {
  const log = new MemoryLog();
  const joined = Promise.withResolvers<GroupMember>();
  const joining = Promise.withResolvers<void>();
  const left = Promise.withResolvers<void>();
  log.joinGroup = () => {
    joining.resolve();
    return joined.promise;
  };
  const query = queryOn(log);
  const beginning = query.begin();
  await joining.promise;
  await query.end("drain");
  joined.resolve({ memberId: "m", leave: () => Promise.resolve(left.resolve()) });
  await left.promise;
  await beginning;
});

Deno.test("a query that is stopped before its first partitions come waits for them no more", async () => {
  const log = new MemoryLog();
  const joined = Promise.withResolvers<void>();
  let left = 0;
  log.joinGroup = () => {
    joined.resolve();
    return Promise.resolve({ memberId: "m", leave: () => Promise.resolve(void left++) });
  };
  const query = queryOn(log);
  const beginning = query.begin();
  await joined.promise;
  // The member is known one turn later.
  await Promise.resolve();
  await query.end("drain");
  await beginning;
  assert.equal(left, 1);
});

Deno.test("a partition that could not begin does so with the next assignment", async () => {
  const log = new MemoryLog();
  const asked = Promise.withResolvers<GroupOptions>();
  log.joinGroup = (options) => {
    asked.resolve(options);
    return Promise.resolve({ memberId: "m", leave: () => Promise.resolve() });
  };
  const calls: [what: string, partition: number][] = [];
  let fails = true;
  const lanes = {
    begin(_: unknown, partition: number) {
      if (partition === 1 && fails) throw new Error("No room");
      calls.push(["begin", partition]);
    },
    renew: (_: unknown, partition: number) => calls.push(["renew", partition]),
    end: (_: unknown, partition: number) => Promise.resolve(calls.push(["end", partition])),
    endAll: () => Promise.resolve(),
  };
  const query = queryOn(log, lanes);
  const beginning = query.begin();
  const { onAssignment } = await asked.promise;
  const assign = async (...partitions: number[]) =>
    await onAssignment({ partitions, membership: { memberId: "m", generation: 1 } });
  await assert.rejects(assign(0, 1, 2), /No room/);
  fails = false;
  await assign(0, 1, 2);
  await assign(1, 2);
  await beginning;
  assert.deepEqual(calls, [
    ["begin", 0],
    ["renew", 0],
    ["begin", 1],
    ["begin", 2],
    ["renew", 1],
    ["renew", 2],
    ["end", 0],
  ]);
  await query.end("drain");
});
