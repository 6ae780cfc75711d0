// What `start` does on any log.
import assert from "node:assert/strict";
import {
  display,
  type Frame,
  LogError,
  type Pair,
  query,
  type ReadStreamOptions,
  start,
  type StartOptions,
} from "../../../runtime/mod.ts";
import { foreachBatch } from "../../../runtime/sinks/mod.ts";
import type { TopicLog } from "../../../runtime/log/log.ts";
import { records } from "../../support/frames.ts";

async function append(log: TopicLog, topic: string, partition: number, count: number, from = 0) {
  const producer = await log.producer();
  await producer.append(topic, partition, records(partition + 1, count, { from }));
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

/** Two cameras in one lane: `processAllAvailable` returns although the newest frames wait for others. */
export async function alignsTwoCameras(url: string, log: TopicLog, topic: string): Promise<void> {
  await log.createTopic(topic, 2);
  const seen: string[] = [];
  const definition = query(`pairs-${topic}`)
    .readStream({ startingOffsets: "earliest" })
    .align({ 0: 1 }, { toleranceMs: 20 })
    .writeStream(
      foreachBatch<Pair>((pairs) => {
        for (const { offset, other } of pairs) seen.push(`${offset}-${other.offset}`);
      }),
    );
  const options: StartOptions = { log: url, topic, progressIntervalMs: 0, report: () => {} };
  let ends: readonly [number, number] = [0, 0];
  for (const [left, right, pairs] of [[5, 7, 4], [90, 7, 7], [95, 100, 94]] as const) {
    await append(log, topic, 0, left - ends[0], ends[0]);
    if (right > ends[1]) await append(log, topic, 1, right - ends[1], ends[1]);
    ends = [left, right];
    await using streams = await start(definition, options);
    await streams.processAllAvailable();
    assert.deepEqual(seen, Array.from({ length: pairs }, (_, i) => `${i}-${i}`));
    assert.deepEqual(streams.all.map(({ partition }) => partition), [0]);
    await streams.processAllAvailable();
  }
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

/** Another query comes, changes and goes beside one that runs, which continues in the same run. */
export async function changesOneQuery(url: string, log: TopicLog, topic: string): Promise<void> {
  await log.createTopic(topic, 2);
  const frames = async () => {
    await append(log, topic, 0, 2);
    await append(log, topic, 1, 1);
  };
  const seen: string[] = [];
  const note = (query: string) =>
    foreachBatch<Frame>((outputs) => {
      for (const { partition, offset } of outputs) seen.push(`${query} ${partition}:${offset}`);
    });
  const of = (name: string) =>
    query(`${name}-${topic}`).readStream({ startingOffsets: "earliest" });
  await frames();
  await using streams = await start(of("stays").writeStream(note("stays")), {
    ...{ log: url, topic, progressIntervalMs: 0, report: () => {} },
  });
  const progress: string[] = [];
  const ended: string[] = [];
  streams.addListener({
    onQueryProgress({ progress: { name, runId, batchId } }) {
      if (runs.has(runId)) progress.push(`${name} ${batchId}`);
    },
    onQueryTerminated: ({ runId }) => ended.push(runId),
  });
  const runs = new Set(streams.all.map(({ runId }) => runId));
  await streams.processAllAvailable();

  const module = new URL("../../../queries/passthrough.ts", import.meta.url);
  const added = await streams.add(module, {
    ...{ queryName: `added-${topic}`, startingOffsets: "earliest" },
  });
  assert.deepEqual(added.map(({ name }) => name), ["QUERY-PARTITION-0", "QUERY-PARTITION-1"]);
  const ids = added.map(({ id }) => id);
  await assert.rejects(
    streams.add(of("added").writeStream(display())),
    /Cannot run two queries named "added-/,
  );
  await frames();
  await streams.processAllAvailable();
  assert.deepEqual(added.map(({ totals }) => totals.frames), [4, 2]);

  const changed = await streams.replace(of("added").writeStream(note("changed")));
  assert.deepEqual(changed.map(({ id }) => id), ids, "it continues from its own checkpoint");
  await frames();
  await streams.processAllAvailable();
  await assert.rejects(streams.replace(`${module.href}.none`, { queryName: `added-${topic}` }));
  assert.deepEqual(changed.map(({ isActive }) => isActive), [true, true]);

  for (const handle of await streams.remove(`added-${topic}`)) assert.equal(handle.isActive, false);
  assert.equal(streams.get(ids[0]!), undefined);
  await assert.rejects(streams.remove(`added-${topic}`), /Cannot remove query .*expected stays-/);
  await frames();
  await streams.processAllAvailable();
  const again = await streams.add(of("added").writeStream(note("again")));
  await streams.processAllAvailable();
  // Its handles are stopped one by one: it makes room for another of its name.
  for (const handle of again) await handle.stop();
  await streams.add(of("added").writeStream(display()));

  const all = (name: string, from: number, to: number) =>
    [0, 1].flatMap((partition) =>
      Array.from({ length: to - from }, (_, i) => i + from)
        .filter((frame) => partition === 0 || frame % 2 === 0)
        .map((frame) => `${name} ${partition}:${partition === 0 ? frame : frame / 2}`)
    );
  const saw = (name: string) => seen.filter((line) => line.startsWith(`${name} `)).sort();
  assert.deepEqual(saw("changed"), all("changed", 4, 6));
  assert.deepEqual(saw("again"), all("again", 6, 8));
  assert.deepEqual(saw("stays"), all("stays", 0, 8));
  const staying = streams.all.filter(({ query }) => query.startsWith("stays"));
  assert.deepEqual(new Set(staying.map(({ runId }) => runId)), runs);
  assert.deepEqual(staying.map(({ restarts }) => restarts), [0, 0]);
  assert.equal(ended.filter((runId) => runs.has(runId)).length, 0);
  for (const { name, lastProgress } of staying) {
    const batches = progress.filter((line) => line.startsWith(name));
    const from = lastProgress!.batchId + 1 - batches.length;
    assert.deepEqual(batches, batches.map((_, i) => `${name} ${from + i}`), "no batch is missing");
  }
}

/**
 * A camera that was added while its query was down loses no frame, wherever the query keeps its checkpoints:
 * in the log, in the folder that its definition names, or in the folder of the run.
 */
export async function readsACameraAddedMeanwhile(
  url: string,
  log: TopicLog,
  topic: string,
  directory: string,
): Promise<void> {
  const checkpointLocation = `${directory}/own`;
  const places: [string, ReadStreamOptions, StartOptions][] = [
    ["log", {}, {}],
    ["own", { checkpointLocation }, {}],
    ["run", {}, { checkpoint: `${directory}/run` }],
    ["both", { checkpointLocation }, { checkpoint: `${directory}/run` }],
  ];
  for (const [name, source, options] of places) {
    const on = `${topic}-${name}`;
    await log.createTopic(on, 1);
    const seen: string[] = [];
    const definition = query(`${name}-${topic}`).readStream(source).writeStream(
      foreachBatch<Frame>((outputs) => {
        for (const { partition, offset } of outputs) seen.push(`${partition}:${offset}`);
      }),
    );
    const said: string[] = [];
    const run = async (then?: () => Promise<void>) => {
      await using streams = await start(definition, {
        ...{ log: url, topic: on, startingOffsets: "latest", progressIntervalMs: 0 },
        report: (line) => said.push(line),
        ...options,
      });
      await then?.();
      await streams.processAllAvailable();
    };
    await run(() => append(log, on, 0, 2));
    assert.ok(!said.some((line) => line.includes("continues from its checkpoint")));
    await log.createTopic(on, 2);
    await append(log, on, 1, 3);
    await run();
    assert.deepEqual(seen, ["0:0", "0:1", "1:0", "1:1", "1:2"], name);
    const remark = `${name}-${topic} continues from its checkpoint on partition 0: `;
    assert.ok(said.some((line) => line.startsWith(remark)), `${name}: ${said.join("\n")}`);
  }
}
