import assert from "node:assert/strict";
import { type DriverParts, DriverQuery } from "../../../runtime/driver/driver_query.ts";
import type { GroupMember, GroupOptions } from "../../../runtime/log/log.ts";
import { FakeClock, MemoryLog } from "../../../runtime/testing.ts";
import type { QuerySpec } from "../../../runtime/executor/protocol.ts";
import { LOADED, SPEC } from "./fake_pool.ts";

/** A lane that tells what is done with it. */
const fakeLane =
  (calls: [what: string, partition: number][]): DriverParts["newLane"] => ({ partition }) => ({
    begin: () => void calls.push(["begin", partition]),
    renew: () => void calls.push(["renew", partition]),
    end: () => Promise.resolve(void calls.push(["end", partition])),
    isOver: false,
    ended: Promise.resolve(),
  });

function queryOn(
  log: MemoryLog,
  newLane: DriverParts["newLane"] = () => assert.fail("Nothing was assigned"),
  { report = () => {}, ...changes }: Partial<QuerySpec> & Partial<Pick<DriverParts, "report">> = {},
  loaded = LOADED,
): DriverQuery {
  const parts = {
    log,
    clock: new FakeClock(),
    executors: { load: () => Promise.resolve(loaded), unload: () => {} },
    report,
    metrics: { rebalances: { inc: () => {} } },
    newLane,
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
    const query = queryOn(log, fakeLane([]), { report, ...changes });
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
  const parts: Pick<DriverParts, "clock" | "executors" | "report"> = {
    clock,
    executors: { load: () => new Promise(() => {}), unload: () => {} },
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
  const ended = new DriverQuery(spec, parts as DriverParts);
  const stopped = assert.rejects(ended.load(), /Query q stops/);
  await ended.end("drain");
  await stopped;
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
  joined.resolve({
    memberId: "m",
    checkOthers: () => Promise.resolve(),
    leave: () => Promise.resolve(left.resolve()),
  });
  await left.promise;
  await beginning;
});

Deno.test("a query that is stopped before its first partitions come waits for them no more", async () => {
  const log = new MemoryLog();
  const joined = Promise.withResolvers<void>();
  let left = 0;
  log.joinGroup = () => {
    joined.resolve();
    return Promise.resolve({
      memberId: "m",
      checkOthers: () => Promise.resolve(),
      leave: () => Promise.resolve(void left++),
    });
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

Deno.test("a finite query asks its group who died after the last commit, and gets those partitions", async () => {
  const log = new MemoryLog();
  const { group, name, topic } = SPEC;
  await log.createTopic(topic, 2);
  for (const partition of [0, 1]) {
    log.append(topic, partition, [{
      key: null,
      value: new Uint8Array(1),
      timestamp: 1,
      headers: {},
    }]);
    const committer = await log.committer({ group, query: name, topic, partition });
    await committer.plan({ batchId: 0, start: 0, end: 1 });
    await committer.commit({ batchId: 0, start: 0, end: 1 }, { end: 1, restart: 1 }, []);
  }
  let checks = 0;
  log.joinGroup = async ({ onAssignment }) => {
    const membership = { memberId: "m", generation: 1 };
    await onAssignment({ partitions: [0], membership });
    return {
      memberId: "m",
      async checkOthers() {
        checks++;
        await onAssignment({ partitions: [0, 1], membership });
      },
      leave: () => Promise.resolve(),
    };
  };
  const calls: [what: string, partition: number][] = [];
  const begun = () => calls.filter(([what]) => what === "begin").map(([, partition]) => partition);
  const query = queryOn(
    log,
    fakeLane(calls),
    {},
    { ...LOADED, finite: true, checkpointLocation: "own" },
  );
  // Its checkpoints are found in the folder that it names alone.
  const list = log.checkpoints.bind(log);
  log.checkpoints = async (filter) =>
    filter?.checkpointLocation === "own" ? await list(filter) : [];
  await query.find();
  await query.begin();
  const done = (_: string, partition: number) => begun().includes(partition);
  assert.equal(await query.othersBehind(done, 1_000), true);
  assert.deepEqual([begun(), checks], [[0, 1], 1]);
  assert.equal(await query.othersBehind(done, 1_000), false);
  assert.equal(checks, 1, "Nothing is left to ask for");
  await query.end("drain");
});

Deno.test("a partition that could not begin does so with the next assignment", async () => {
  const log = new MemoryLog();
  const asked = Promise.withResolvers<GroupOptions>();
  log.joinGroup = (options) => {
    asked.resolve(options);
    return Promise.resolve({
      memberId: "m",
      checkOthers: () => Promise.resolve(),
      leave: () => Promise.resolve(),
    });
  };
  const calls: [what: string, partition: number][] = [];
  let fails = true;
  const query = queryOn(log, (options) => {
    if (options.partition === 1 && fails) throw new Error("No room");
    return fakeLane(calls)(options);
  });
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
