/** Handles and manager as a program uses them: everything returns or throws. */
import assert from "node:assert/strict";
import { Driver } from "../../../runtime/driver/driver.ts";
import { reportIdle } from "../../../runtime/driver/idle.ts";
import type {
  StreamingQueryListener,
  StreamingQueryManager,
} from "../../../runtime/driver/manager.ts";
import type { StreamingQueryException } from "../../../runtime/driver/query_exception.ts";
import { newCells } from "../../../runtime/executor/protocol.ts";
import { StreamingQuery } from "../../../runtime/driver/streaming_query.ts";
import "../../../runtime/image/mod.ts";
import type { StreamingQueryProgress } from "../../../runtime/definition/progress.ts";
import type { ReadStreamOptions } from "../../../runtime/definition/source_options.ts";
import type { TopicLog } from "../../../runtime/log/log.ts";
import { managerOf } from "../../support/manager.ts";
import { FakeClock, MemoryLog, settle } from "../../../runtime/testing.ts";
import { records } from "../../support/frames.ts";
import { withLog } from "../../support/log.ts";
import { shared } from "../../support/queries/paused.ts";

const MODULE = new URL("../../support/queries/paused.ts", import.meta.url).href;

async function append(log: TopicLog, count: number): Promise<void> {
  if (count === 0) return;
  const producer = await log.producer();
  await producer.append("VideoStreaming", 0, records(1, count));
  await producer.close();
}

async function withDriver(
  frames: number,
  source: ReadStreamOptions,
  use: (driver: Driver, log: TopicLog, again: () => Promise<Driver>) => Promise<void>,
): Promise<void> {
  shared.gate = Promise.resolve();
  shared.failAt = -1;
  await withLog(async (url, log) => {
    await log.createTopic("VideoStreaming", 1);
    await append(log, frames);
    const start = async () => {
      const driver = new Driver({
        log,
        logUrl: url,
        queries: [{
          name: "paused",
          topic: "VideoStreaming",
          module: MODULE,
          group: "g",
          sinks: [],
          source,
        }],
        executors: 0,
        progressIntervalMs: 0,
        report: () => {},
      });
      await driver.start();
      return driver;
    };
    let driver = await start();
    const again = async () => {
      await driver.stop();
      return driver = await start();
    };
    try {
      await use(driver, log, again);
    } finally {
      await driver.stop();
    }
  });
}

Deno.test("ids are there when start returns", async () => {
  await withDriver(0, {}, (driver) => {
    const [query] = driver.streams.active;
    assert.match(query!.id, /^[0-9a-f-]{36}$/);
    assert.equal(driver.streams.get(query!.id), query);
    return Promise.resolve();
  });
});

Deno.test("processAllAvailable returns: at latest, and after a restart with nothing to do", async () => {
  await withDriver(5, {}, async (driver, log, again) => {
    await driver.streams.processAllAvailable();
    await append(log, 3);
    await driver.streams.processAllAvailable();
    assert.equal(driver.streams.all[0]!.totals.frames, 3);
    const next = await again();
    await next.streams.processAllAvailable();
    assert.equal(next.streams.all[0]!.totals.frames, 0);
  });
});

Deno.test("processAllAvailable throws while a query fails, with cause, batch and offsets", async () => {
  await withDriver(0, {}, async (driver, log) => {
    shared.failAt = 6;
    await append(log, 10);
    const [query] = driver.streams.active;
    await assert.rejects(query!.processAllAvailable(), (error: StreamingQueryException) => {
      assert.match(error.message, /paused QUERY-PARTITION-0: .*told to/);
      assert.match((error.cause as Error).message, /told to/);
      assert.equal(error.batchId, 1);
      assert.deepEqual(error.startOffset, { VideoStreaming: { "0": 4 } });
      assert.deepEqual(error.endOffset, { VideoStreaming: { "0": 8 } });
      assert.equal(query!.exception, error);
      return true;
    });
  });
});

Deno.test("status is active during the first batch, and idle after it", async () => {
  await withDriver(0, {}, async (driver, log) => {
    const [query] = driver.streams.active;
    assert.deepEqual(query!.status, {
      message: "Waiting for frames to arrive",
      isDataAvailable: false,
      isTriggerActive: false,
    });
    const gate = Promise.withResolvers<void>();
    shared.gate = gate.promise;
    await append(log, 2);
    while (!query!.status.isTriggerActive) await settle();
    assert.deepEqual(query!.status, {
      message: "Processing frames",
      isDataAvailable: true,
      isTriggerActive: true,
    });
    assert.equal(query!.lastProgress, undefined);
    gate.resolve();
    await query!.processAllAvailable();
    while (query!.status.isTriggerActive) await settle();
    assert.equal(query!.status.isDataAvailable, false);
  });
});

const control = {
  stop: () => Promise.resolve(),
  explain: () => "",
  latestOffset: () => Promise.resolve(0),
  cells: newCells(),
};

function managed(
  ...names: string[]
): { manager: StreamingQueryManager; queries: StreamingQuery[] } {
  const manager = managerOf();
  const queries = names.map((name, partition) =>
    new StreamingQuery(name, "VideoStreaming", partition, control)
  );
  for (const query of queries) {
    manager.begins(query);
    query.started(`id of ${query.query}`);
  }
  return { manager, queries };
}

function end(manager: StreamingQueryManager, query: StreamingQuery, message?: string): void {
  if (message === undefined) query.stopped();
  else query.failed({ name: "Error", message, retryable: false }, undefined);
  manager.terminated(query);
}

Deno.test("awaitAnyTermination tells of an end before, and after resetTerminated of the next one", async () => {
  const { manager, queries: [a, b, c] } = managed("a", "b", "c");
  const first = manager.awaitAnyTermination();
  manager.resetTerminated();
  end(manager, a!);
  assert.equal(await first, a);
  assert.equal(await manager.awaitAnyTermination(), a);
  manager.resetTerminated();
  const next = manager.awaitAnyTermination();
  assert.equal(await manager.awaitAnyTermination(1), false);
  const late = manager.awaitAnyTermination(60_000);
  end(manager, b!);
  assert.equal(await next, b);
  manager.resetTerminated();
  assert.equal(await late, b);
  end(manager, c!, "broken");
  await assert.rejects(manager.awaitAnyTermination(), /broken/);
  assert.deepEqual(manager.all, [c]);
  manager.resetTerminated();
  assert.deepEqual(manager.all, []);
});

Deno.test("processAllAvailable throws for a query that has failed, until resetTerminated", async () => {
  const { manager, queries: [a, b] } = managed("a", "b");
  a!.started("id of a", 0);
  end(manager, b!, "broken");
  await assert.rejects(manager.processAllAvailable(), /broken/);
  manager.resetTerminated();
  await manager.processAllAvailable();
});

Deno.test("the first idle event comes ten seconds after the last batch", async () => {
  const { manager, queries: [query] } = managed("a");
  const clock = new FakeClock(1_000_000);
  const stop = new AbortController();
  const told: number[] = [];
  manager.addListener({ onQueryIdle: ({ timestamp }) => void told.push(Date.parse(timestamp)) });
  const telling = reportIdle(manager, clock, stop.signal);
  await clock.advance(4_000);
  query!.progressed(
    { sources: [], totals: query!.totals } as unknown as StreamingQueryProgress,
    clock,
  );
  await clock.advance(25_000);
  assert.deepEqual(told.map((time) => time - 1_000_000), [14_000, 24_000]);
  stop.abort(new Error("enough"));
  await telling;
});

Deno.test("a listener that rejects is reported, like one that throws", async () => {
  const reports: string[] = [];
  const manager = managerOf((line) => void reports.push(line));
  manager.addListener({
    onQueryIdle: () => Promise.reject(new Error("later")),
    onQueryProgress: () => {
      throw new Error("at once");
    },
  });
  manager.notify("onQueryIdle", { id: "", runId: "", timestamp: "" });
  manager.notify("onQueryProgress", { progress: {} as StreamingQueryProgress });
  await settle();
  assert.equal(reports.length, 2);
  assert.match(reports[0]!, /^listener \(added at .*\) failed in onQueryProgress: at once/);
  assert.match(reports[1]!, /^listener \(added at .*\) failed in onQueryIdle: later/);
});

Deno.test("waits take a number from 0 up, and Infinity", async () => {
  const { manager, queries: [query] } = managed("a");
  for (const wrong of [-1, NaN, "soon" as never]) {
    await assert.rejects(
      query!.awaitTermination(wrong),
      /Cannot wait .*: expected a number from 0/,
    );
    await assert.rejects(manager.awaitAnyTermination(wrong), /Cannot wait .*: expected a number/);
  }
  assert.equal(await query!.awaitTermination(0), false);
  const endless = [query!.awaitTermination(Infinity), manager.awaitAnyTermination(Infinity)];
  await settle();
  query!.stopped();
  manager.terminated(query!);
  assert.deepEqual(await Promise.all(endless), [true, query]);
});

Deno.test("nothing is found by an empty id, no listener is no listener, an ended query has nothing to wait for", async () => {
  const manager = managerOf();
  const latestOffset = () => Promise.reject(new Error("The log is closed"));
  const query = new StreamingQuery("a", "VideoStreaming", 0, { ...control, latestOffset });
  manager.begins(query);
  assert.equal(manager.get(""), undefined);
  for (const wrong of [undefined, null, 5]) {
    assert.throws(
      () => manager.addListener(wrong as never),
      /Cannot add listener .*onQueryProgress/,
    );
  }
  query.stopped();
  await query.processAllAvailable();
});

Deno.test("two queries of one name are refused", () => {
  const spec = { name: "q", topic: "VideoStreaming", module: MODULE, group: "g", sinks: [] };
  assert.throws(
    () =>
      new Driver({
        log: new MemoryLog(),
        logUrl: "memory:",
        queries: [spec, { ...spec, group: "h" }],
        executors: 0,
        report: () => {},
      }),
    /Cannot run two queries named "q"/,
  );
});

Deno.test("an event reaches the listeners of its moment, whichever others they add or remove", () => {
  const manager = managerOf();
  let calls = 0;
  const adding = () => {
    calls++;
    if (calls < 100) manager.addListener({ onQueryStarted: adding });
    manager.removeListener(second);
  };
  const second = { onQueryStarted: () => assert.fail("It was removed") };
  manager.addListener({ onQueryStarted: adding });
  manager.addListener(second);
  const event = { id: "i", runId: "r", name: "QUERY-PARTITION-0", timestamp: "" };
  manager.notify("onQueryStarted", event);
  assert.equal(calls, 1);
  manager.notify("onQueryStarted", event);
  assert.equal(calls, 3);
});

Deno.test("listeners that throw, reject or cannot be read are named and cost themselves alone", async () => {
  const reports: string[] = [];
  const streams = managerOf((line) => void reports.push(line));
  class Alarm implements StreamingQueryListener {
    onQueryIdle() {
      return Promise.reject(null);
    }
  }
  streams.addListener(new Alarm());
  streams.addListener({
    onQueryIdle() {
      throw {
        get message() {
          throw new Error("no");
        },
      };
    },
  });
  streams.addListener({
    get onQueryIdle(): never {
      throw new Error("no getter");
    },
  });
  streams.addListener({ onQueryIdle: (event) => event.id = "another" });
  const heard: string[] = [];
  streams.addListener({ onQueryIdle: ({ id }) => heard.push(id) });
  streams.notify("onQueryIdle", { id: "its own", runId: "", timestamp: "" });
  await settle();
  assert.deepEqual(heard, ["its own"]);
  assert.equal(reports.length, 4);
  assert.throws(
    () => streams.addListener({ onQueryIdle: 5 } as never),
    /Cannot add a listener: onQueryIdle is 5, expected a function/,
  );
  assert.match(
    reports.join("\n"),
    /Alarm \(added at .*handles_test.ts:\d+\) failed in onQueryIdle: null was thrown/,
  );
  assert.match(reports.join("\n"), /no getter/);
});

Deno.test("a listener that never ends its calls misses events, which is reported once", () => {
  const reports: string[] = [];
  const streams = managerOf((line) => void reports.push(line));
  let calls = 0;
  streams.addListener({ onQueryIdle: () => (calls++, new Promise(() => {})) });
  for (let i = 0; i < 1000; i++) {
    streams.notify("onQueryIdle", { id: "", runId: "", timestamp: "" });
  }
  assert.equal(calls, 256);
  assert.equal(reports.length, 1);
});
