/** The driver in this process, on an embedded log: handles, manager, listeners, progress. */
import assert from "node:assert/strict";
// Loaded before the tests: its native library stays with the thread and is no test's leak.
import { Driver } from "../../../runtime/driver/driver.ts";
import type { StreamingQueryListener } from "../../../runtime/driver/manager.ts";
import "../../../runtime/image/mod.ts";
import { LogError, type TopicLog } from "../../../runtime/log/log.ts";
import { records } from "../../support/frames.ts";
import { until } from "../../support/until.ts";
import { withLog } from "../../support/log.ts";

const ALL_THERE_IS = new URL("../../support/queries/all_there_is.ts", import.meta.url).href;
const PASSTHROUGH = new URL("../../../queries/passthrough.ts", import.meta.url).href;

function driver(
  url: string,
  log: TopicLog,
  reports: string[] = [],
  trigger?: string,
  module = PASSTHROUGH,
): Driver {
  return new Driver({
    log,
    logUrl: url,
    queries: [{
      name: "passthrough",
      topic: "VideoStreaming",
      module,
      group: "g",
      sinks: [],
      source: { startingOffsets: "earliest" },
      ...(trigger !== undefined ? { trigger } : {}),
    }],
    executors: 0,
    progressIntervalMs: 0,
    report: (line) => void reports.push(line),
  });
}

async function append(log: TopicLog, partition: number, count: number): Promise<void> {
  const producer = await log.producer();
  await producer.append("VideoStreaming", partition, records(partition + 1, count));
  await producer.close();
}

Deno.test("a live query's progress has Spark's fields in Spark's order", async () => {
  await withLog(async (url, log) => {
    await log.createTopic("VideoStreaming", 1);
    await append(log, 0, 10);
    const one = driver(url, log);
    await one.start();
    const [query] = one.streams.active;
    await query!.processAllAvailable();
    const progress = query!.lastProgress!;
    assert.deepEqual(Object.keys(progress).slice(0, 15), [
      "id",
      "runId",
      "name",
      "timestamp",
      "batchId",
      "batchDuration",
      "numInputRows",
      "inputRowsPerSecond",
      "processedRowsPerSecond",
      "durationMs",
      "eventTime",
      "stateOperators",
      "sources",
      "sink",
      "observedMetrics",
    ]);
    assert.deepEqual(Object.keys(progress.durationMs), [
      "latestOffset",
      "getBatch",
      "queryPlanning",
      "walCommit",
      "addBatch",
      "commitOffsets",
      "triggerExecution",
    ]);
    const [source] = progress.sources;
    assert.deepEqual(Object.keys(source!), [
      "description",
      "startOffset",
      "endOffset",
      "latestOffset",
      "numInputRows",
      "inputRowsPerSecond",
      "processedRowsPerSecond",
      "metrics",
    ]);
    assert.deepEqual(Object.keys(source!.metrics), [
      "avgOffsetsBehindLatest",
      "maxOffsetsBehindLatest",
      "minOffsetsBehindLatest",
    ]);
    assert.deepEqual(source!.endOffset, { VideoStreaming: { "0": 10 } });
    assert.deepEqual(Object.keys(progress.eventTime), ["avg", "max", "min", "watermark"]);
    assert.deepEqual(Object.keys(progress.latencies!), [
      "processingLatencyMs",
      "sourceQueuingLatencyMs",
      "e2eLatencyMs",
    ]);
    assert.deepEqual(Object.keys(progress.latencies!.e2eLatencyMs), [
      "P0",
      "P50",
      "P90",
      "P95",
      "P99",
    ]);
    assert.match(progress.id, /^[0-9a-f-]{36}$/);
    assert.match(progress.runId, /^[0-9a-f-]{36}$/);
    assert.equal(progress.name, "QUERY-PARTITION-0");
    assert.equal(progress.sink.numOutputRows, progress.numInputRows);
    assert.doesNotMatch(JSON.stringify(progress), /NaN|Infinity|null/);
    await one.stop();
  });
});

Deno.test("handles: id survives a restart, runId does not; status, stop and termination", async () => {
  await withLog(async (url, log) => {
    await log.createTopic("VideoStreaming", 2);
    await append(log, 0, 5);
    await append(log, 1, 5);
    const first = driver(url, log);
    await first.start();
    await Promise.all(first.streams.active.map((query) => query.processAllAvailable()));
    const [a, b] = first.streams.active;
    assert.deepEqual([a!.name, b!.name], ["QUERY-PARTITION-0", "QUERY-PARTITION-1"]);
    assert.equal(first.streams.get(a!.id), a);
    assert.ok(a!.isActive);
    assert.equal(a!.status.isDataAvailable, false);
    assert.match(a!.explain(), /query passthrough[^]*writeStream display/);
    assert.equal(await a!.awaitTermination(1), false);
    await a!.stop();
    assert.equal(await a!.awaitTermination(), true);
    assert.equal(a!.isActive, false);
    assert.equal(await first.streams.awaitAnyTermination(), a);
    assert.deepEqual(first.streams.active, [b]);
    await first.stop();
    const second = driver(url, log);
    await second.start();
    await append(log, 0, 1);
    await second.streams.lane("passthrough", 0)!.processAllAvailable();
    const again = second.streams.lane("passthrough", 0)!;
    assert.equal(again.id, a!.id);
    assert.notEqual(again.runId, a!.runId);
    await second.stop();
  });
});

Deno.test("a query that has read all ends well, though its log is away when others' work is looked at", async () => {
  await withLog(async (url, log) => {
    await log.createTopic("VideoStreaming", 2);
    const place = { group: "g", topic: "VideoStreaming" };
    for (const partition of [0, 1]) {
      await append(log, partition, 5);
      // The other member has done its part.
      const committer = await log.committer({ ...place, query: "passthrough", partition });
      await committer.plan({ batchId: 0, start: 0, end: 5 });
      await committer.commit({ batchId: 0, start: 0, end: 5 }, { end: 5, restart: 5 }, []);
      await committer.close();
    }
    const other = await log.joinGroup({ ...place, onAssignment: () => Promise.resolve() });
    let asked = 0;
    const away = new Proxy(log, {
      get(target, name: keyof TopicLog) {
        const member = Reflect.get(target, name, target);
        if (typeof member !== "function") return member;
        if (name !== "checkpoints" || asked++ !== 1) return member.bind(target);
        return () => Promise.reject(new LogError("UNREACHABLE", "It is away"));
      },
    });
    const one = driver(url, away, [], "available-now");
    await one.start();
    assert.ok(await one.awaitTermination());
    assert.ok(asked > 1);
    await one.stop();
    await other.leave();
  });
});

Deno.test("a query whose partitions have all moved away is still in its group: it is not added again if it has no end", async () => {
  for (const trigger of [undefined, "available-now"]) {
    await withLog(async (url, log) => {
      await log.createTopic("VideoStreaming", 1);
      const { joinGroup } = log;
      log.joinGroup = (options) =>
        joinGroup.call(log, {
          ...options,
          onAssignment: async (assignment) => {
            await options.onAssignment(assignment);
            await options.onAssignment({ ...assignment, partitions: [] });
          },
        });
      const one = driver(url, log, [], trigger);
      await one.start();
      const [lane] = one.streams.all;
      await until("the lane has moved", () => lane!.moved && !lane!.isActive);
      const add = () => one.streams.add(new URL(PASSTHROUGH));
      if (trigger === undefined) {
        await assert.rejects(add, /Cannot run two queries named "passthrough"/);
        await one.streams.remove("passthrough");
      }
      assert.equal((await add()).length, 1);
      await one.stop();
    });
  }
});

Deno.test("listeners hear starts, progress and ends; one that throws is reported", async () => {
  await withLog(async (url, log) => {
    await log.createTopic("VideoStreaming", 1);
    await append(log, 0, 5);
    const reports: string[] = [];
    const heard: string[] = [];
    const one = driver(url, log, reports, "available-now");
    const listener: StreamingQueryListener = {
      onQueryStarted: ({ name }) => void heard.push(`started ${name}`),
      onQueryProgress: ({ progress }) => void heard.push(`progress ${progress.numInputRows}`),
      onQueryTerminated: ({ exception }) => void heard.push(`ended ${exception ?? "well"}`),
    };
    one.streams.addListener(listener);
    one.streams.addListener({
      onQueryStarted: () => {
        throw new Error("not my day");
      },
    });
    await one.start();
    assert.ok(await one.awaitTermination());
    assert.deepEqual(heard, ["started QUERY-PARTITION-0", "progress 5", "ended well"]);
    assert.ok(reports.some((line) => line.includes("not my day")), reports.join("\n"));
    await one.stop();
  });
});

Deno.test("metrics have the names and labels of the contract", async () => {
  await withLog(async (url, log) => {
    await log.createTopic("VideoStreaming", 1);
    await append(log, 0, 5);
    const one = driver(url, log, [], "available-now");
    await one.start();
    await one.awaitTermination();
    const text = await one.metrics.text();
    const labels = 'topic="VideoStreaming",partition="0",camera="CAMERA-1",query="passthrough"';
    for (
      const name of [
        "frames_consumed_total",
        "frames_processed_total",
        "frames_dead_lettered_total",
        "order_violations_total",
        "duplicates_total",
        "gaps_total",
        "query_restarts_total",
        "source_lag_frames",
        "query_state",
        "checkpoint_age_seconds",
        "camera_last_frame_timestamp_seconds",
        "end_to_end_latency_seconds_count",
        "window_processing_seconds_count",
      ]
    ) assert.ok(text.includes(`framelane_${name}{${labels}}`), `${name} in\n${text}`);
    assert.match(text, /framelane_frames_dropped_total\{[^}]*reason="overload"\} 0/);
    assert.match(text, /framelane_frames_consumed_total\{[^}]*\} 5/);
    assert.match(text, /framelane_sink_write_seconds_count\{[^}]*sink="display"\} 5/);
    assert.match(text, /framelane_build_info\{version="[^"]+"\} 1/);
    await one.stop();
  });
});

Deno.test("a query whose own trigger has an end is waited for until it ends, its topic is not", async () => {
  await withLog(async (url, log) => {
    const early = driver(url, log, [], undefined, ALL_THERE_IS);
    await assert.rejects(early.start(), { name: "LogError", code: "TOPIC_MISSING" });
    await early.stop();
    await log.createTopic("VideoStreaming", 1);
    await append(log, 0, 5);
    const one = driver(url, log, [], undefined, ALL_THERE_IS);
    await one.start();
    assert.equal(one.finite, true);
    assert.ok(await one.awaitTermination());
    assert.equal(one.streams.all[0]!.totals.frames, 5);
    await one.stop();
    const without = driver(url, log);
    await without.start();
    assert.equal(without.finite, false);
    await without.stop();
  });
});

Deno.test("topics that a query names itself are known once it is loaded", async () => {
  await withLog(async (url, log) => {
    const module = new URL("../../support/queries/neighbours.ts", import.meta.url).href;
    const one = driver(url, log, [], undefined, module);
    await one.load();
    assert.deepEqual(one.outputTopics, { passthrough: "out" });
    await one.stop();
  });
});

Deno.test("a camera is called as its newest frame says: in progress, results and metrics", async () => {
  await withLog(async (url, log) => {
    await log.createTopic("VideoStreaming", 2);
    const producer = await log.producer();
    const headers = { "camera-name": "Loading dock", "camera-place": "Hall 2" };
    const named = records(1, 3).map((record) => ({ ...record, headers }));
    const foreign = records(2, 3).map((record) => ({ ...record, key: "front-door" }));
    await producer.append("VideoStreaming", 0, named);
    await producer.append("VideoStreaming", 1, foreign);
    await producer.close();
    const one = driver(url, log);
    await one.start();
    await one.streams.processAllAvailable();
    const progress = one.streams.active.map(({ lastProgress }) => lastProgress!);
    assert.deepEqual(progress.map(({ camera, cameraName, place }) => [camera, cameraName, place]), [
      [named[0]!.key, "Loading dock", "Hall 2"],
      ["front-door", undefined, undefined],
    ]);
    const lanes = one.feed.lanes();
    assert.deepEqual(lanes.map(({ cameraName, camera }) => cameraName ?? camera), [
      "Loading dock",
      "front-door",
    ]);
    const text = await one.metrics.text();
    for (const name of ["frames_consumed_total", "source_lag_frames", "query_state"]) {
      for (const [partition, camera] of [[0, "Loading dock"], [1, "front-door"]]) {
        const labels = `topic="VideoStreaming",partition="${partition}",camera="${camera}"`;
        assert.match(text, new RegExp(`^framelane_${name}\\{${labels},`, "m"));
      }
    }
    assert.doesNotMatch(text, /query_state\{.*camera="CAMERA-/);
    await one.stop();
  });
});

Deno.test("lanes send pictures from the first use of the driver's feed on", async () => {
  await withLog(async (url, log) => {
    await log.createTopic("VideoStreaming", 1);
    await append(log, 0, 3);
    const one = driver(url, log);
    await one.start();
    await one.streams.processAllAvailable();
    assert.equal(one.feed.latest("passthrough-0"), undefined);
    await append(log, 0, 1);
    await one.streams.processAllAvailable();
    assert.equal(one.feed.latest("passthrough-0")?.offset, 3);
    await one.stop();
  });
});
