import assert from "node:assert/strict";
import { FramePublisher, type PublisherOptions } from "../../cameras/publisher.ts";
import { systemClock } from "../../runtime/base/clock.ts";
import { FakeClock, settle } from "../../runtime/testing.ts";
import { LogError } from "../../runtime/log/log.ts";
import { MemoryLog } from "../support/memory_log.ts";
import { hurriedClock, TOPIC } from "./kit.ts";

async function publisherOn(log: MemoryLog, options: Partial<PublisherOptions> = {}) {
  const reports: string[] = [];
  const publisher = new FramePublisher({
    log: log.asTopicLog(),
    producer: await log.producer(),
    topic: TOPIC,
    partition: 2,
    clock: hurriedClock,
    report: (message) => reports.push(message),
    ...options,
  });
  return { publisher, reports };
}

const frame = (n: number, size = 10) => ({
  record: {
    key: "CAMERA-3",
    value: new Uint8Array(size).fill(n),
    timestamp: 1000 + n,
    headers: { seq: String(n) },
  },
});

const numbers = (log: MemoryLog) => log.records(TOPIC, 2).map(({ headers }) => Number(headers.seq));

/** Holds appends back until told. */
function gate(log: MemoryLog): () => void {
  const { promise, resolve } = Promise.withResolvers<void>();
  log.beforeAppend = () => promise;
  return resolve;
}

Deno.test("makes the topic with as many partitions as the camera needs, and tells offsets", async () => {
  const log = new MemoryLog();
  const { publisher } = await publisherOn(log);
  const offsets: number[] = [];
  for (let n = 0; n < 5; n++) {
    await publisher.publish({
      ...frame(n),
      delivered: (offset) => void offsets.push(offset),
    });
  }
  await publisher.flush();
  await publisher.close();
  assert.equal(await log.partitionCount(TOPIC), 3);
  assert.deepEqual(numbers(log), [0, 1, 2, 3, 4]);
  assert.deepEqual(offsets, [0, 1, 2, 3, 4]);
  const { published, dropped, bytes, buffered, lastTimestamp } = publisher.stats;
  assert.deepEqual(
    { published, dropped, bytes, buffered, lastTimestamp },
    { published: 5, dropped: 0, bytes: 50, buffered: 0, lastTimestamp: 1004 },
  );
});

Deno.test("what gathers while an append is under way goes as one batch, bounded in bytes", async () => {
  const frames = [
    (n: number) => frame(n, 1000),
    (n: number) => {
      const { record } = frame(n, 1);
      return { record: { ...record, headers: { ...record.headers, note: "x".repeat(936) } } };
    },
  ];
  for (const make of frames) {
    const log = new MemoryLog();
    const open = gate(log);
    const { publisher } = await publisherOn(log, { batchBytes: 3 * (1000 + 400) });
    for (let n = 0; n < 9; n++) await publisher.publish(make(n));
    open();
    await publisher.flush();
    await publisher.close();
    assert.deepEqual(numbers(log), [0, 1, 2, 3, 4, 5, 6, 7, 8]);
    assert.deepEqual(log.batches, [3, 3, 3]);
  }
});

Deno.test("lingers for company", async () => {
  const log = new MemoryLog();
  const { publisher } = await publisherOn(log, { lingerMs: 40, clock: systemClock });
  for (let n = 0; n < 6; n++) await publisher.publish(frame(n));
  await log.until(TOPIC, 2, 6);
  assert.deepEqual(log.batches, [6]);
  await publisher.publish(frame(6));
  // No other append will come: a flush does not wait out the linger time.
  await publisher.flush();
  await publisher.close();
  assert.deepEqual(log.batches, [6, 1]);
});

Deno.test("a batch that has no room for another frame does not linger", async () => {
  const log = new MemoryLog();
  const { publisher } = await publisherOn(log, { lingerMs: 60_000, batchBytes: 1 });
  for (let n = 0; n < 3; n++) {
    await publisher.publish(frame(n));
    // The clock stands still, so after a minute's wait it would never be there.
    await log.until(TOPIC, 2, n + 1);
  }
  await publisher.close();
  assert.deepEqual(log.batches, [1, 1, 1]);
});

Deno.test("a full buffer does not linger, and one whose frames are all dropped meanwhile sends none", async () => {
  const log = new MemoryLog();
  const { publisher } = await publisherOn(log, { lingerMs: 60_000, bufferFrames: 2 });
  for (let n = 0; n < 2; n++) await publisher.publish(frame(n));
  await log.until(TOPIC, 2, 2);
  await publisher.close();
  const clock = new FakeClock();
  const { publisher: other } = await publisherOn(log, { lingerMs: 50, bufferFrames: 2, clock });
  const unit = (n: number, keyframe: string) => {
    const { record } = frame(n);
    return { record: { ...record, headers: { "content-type": "video/h264", keyframe } } };
  };
  await other.ready;
  await other.publish(unit(0, "1"), "drop-oldest");
  await settle();
  assert.equal(clock.sleeping, 1);
  // All depend on the first one, which is dropped.
  for (let n = 1; n < 3; n++) void other.publish(unit(n, ""), "drop-oldest");
  await clock.advance(50);
  await other.publish(unit(3, "1"));
  await clock.advance(50);
  await other.flush();
  const { published, dropped } = other.stats;
  assert.deepEqual([published, dropped], [1, 3]);
  assert.deepEqual(log.batches, [2, 1]);
  const closed = other.close();
  await clock.advance(500);
  await closed;
});

Deno.test("closing ends the wait for company", async () => {
  let calls = 0;
  const monotonic = () => {
    if (++calls > 1_000) throw new Error("It spins");
    return 0;
  };
  const log = new MemoryLog();
  const clock = { ...systemClock, monotonic };
  const { publisher } = await publisherOn(log, { lingerMs: 60_000, clock });
  await publisher.publish(frame(0));
  await publisher.ready;
  await settle();
  await publisher.close();
  assert.ok(calls < 1_000, `${calls}`);
  assert.equal(publisher.stats.dropped, 1);
});

Deno.test("full buffer: wait holds the source back, and loses nothing", async () => {
  const log = new MemoryLog();
  const open = gate(log);
  const { publisher } = await publisherOn(log, { bufferFrames: 3 });
  let taken = 0;
  const feeding = (async () => {
    for (let n = 0; n < 20; n++) {
      await publisher.publish(frame(n));
      taken++;
    }
  })();
  await new Promise((resolve) => setTimeout(resolve, 20));
  assert.ok(taken <= 6, `${taken} taken by a buffer of 3 and a batch of 3`);
  open();
  await feeding;
  await publisher.flush();
  await publisher.close();
  assert.deepEqual(numbers(log), Array.from({ length: 20 }, (_, n) => n));
});

Deno.test("full buffer: drop-oldest keeps the newest, drop-newest the oldest, both count", async () => {
  for (
    const [overflow, expected] of [
      ["drop-oldest", [0, 7, 8, 9]],
      ["drop-newest", [0, 1, 2, 3]],
    ] as const
  ) {
    const log = new MemoryLog();
    const open = gate(log);
    const { publisher } = await publisherOn(log, { bufferFrames: 3 });
    await publisher.publish(frame(0), overflow);
    // The first one is on its way and can no longer be dropped.
    await new Promise((resolve) => setTimeout(resolve));
    for (let n = 1; n < 10; n++) await publisher.publish(frame(n), overflow);
    open();
    await publisher.flush();
    await publisher.close();
    assert.deepEqual(numbers(log), expected);
    assert.equal(publisher.stats.dropped, 6);
    assert.deepEqual(publisher.stats.droppedBy, { overflow: 6, "too-large": 0, stopped: 0 });
  }
});

Deno.test("a log that is away, at the start or later, is waited for and told about once", async () => {
  const log = new MemoryLog();
  const away = () => {
    throw new LogError("UNREACHABLE", "Cannot reach the log");
  };
  let failures = 0;
  log.beforeCreate = () => {
    if (++failures <= 3) away();
  };
  const { publisher, reports } = await publisherOn(log);
  await publisher.publish(frame(0));
  await log.until(TOPIC, 2, 1);
  let appends = 0;
  log.beforeAppend = () => {
    if (++appends <= 4) away();
  };
  await publisher.publish(frame(1));
  await publisher.flush();
  await publisher.close();
  assert.deepEqual(numbers(log), [0, 1]);
  assert.equal(publisher.stats.retries, 7);
  assert.deepEqual(reports.map((line) => line.replace(/[\d.]+ s$/, "N s")), [
    "Cannot reach the log; waiting for it",
    "Log memory: accepts frames again after N s",
    "Cannot reach the log; waiting for it",
    "Log memory: accepts frames again after N s",
  ]);
});

Deno.test("a topic that was deleted under the camera is made again", async () => {
  const log = new MemoryLog();
  const { publisher } = await publisherOn(log);
  await publisher.publish(frame(0));
  await log.until(TOPIC, 2, 1);
  log.partitions.clear();
  await publisher.publish(frame(1));
  await publisher.flush();
  await publisher.close();
  assert.deepEqual(numbers(log), [1]);
});

Deno.test("a frame that is too large costs itself, not its neighbours", async () => {
  const log = new MemoryLog();
  const open = gate(log);
  const { publisher, reports } = await publisherOn(log);
  await publisher.publish(frame(0));
  await new Promise((resolve) => setTimeout(resolve));
  for (let n = 1; n < 5; n++) await publisher.publish(frame(n, n === 2 ? 500 : 10));
  log.beforeAppend = (records) => {
    if (records.some(({ value }) => value.length > 100)) {
      throw new LogError("TOO_LARGE", "Too large");
    }
  };
  open();
  await publisher.flush();
  await publisher.close();
  assert.deepEqual(numbers(log), [0, 1, 3, 4]);
  assert.deepEqual(publisher.stats.droppedBy, { overflow: 0, "too-large": 1, stopped: 0 });
  assert.deepEqual(reports, ["A frame of 500 bytes is too large for the log and was dropped"]);
});

Deno.test("a frame that no reader could read is refused by name, and the others are published", async () => {
  const log = new MemoryLog();
  const { publisher } = await publisherOn(log);
  const { record } = frame(0);
  for (
    const headers of [{ people: null }, { people: 3 }] as unknown[] as Record<string, string>[]
  ) {
    await assert.rejects(
      publisher.publish({ record: { ...record, headers } }),
      /header people (null|3): expected text/,
    );
  }
  await publisher.publish(frame(1));
  await publisher.flush();
  await publisher.close();
  assert.deepEqual(numbers(log), [1]);
});

Deno.test("a log that refuses for good ends the publisher with its reason", async () => {
  const log = new MemoryLog();
  const refusal = new LogError("AUTHENTICATION_FAILED", "Wrong password");
  log.beforeCreate = () => {
    throw refusal;
  };
  const { publisher } = await publisherOn(log);
  await assert.rejects(async () => {
    await publisher.publish(frame(0));
    await publisher.flush();
  }, refusal);
  await assert.rejects(publisher.publish(frame(1)), refusal);
  await publisher.close();
  assert.equal(publisher.stats.droppedBy.stopped, 1);
});

Deno.test("closing gives up what is not in the log, and counts it", async () => {
  const log = new MemoryLog();
  log.beforeAppend = () => {
    throw new LogError("UNREACHABLE", "Cannot reach the log");
  };
  const { publisher } = await publisherOn(log);
  for (let n = 0; n < 4; n++) await publisher.publish(frame(n));
  const stop = new AbortController();
  const flushing = assert.rejects(publisher.flush(stop.signal), /aborted/);
  stop.abort();
  await flushing;
  await publisher.close();
  assert.equal(publisher.stats.dropped, 4);
  assert.equal(publisher.stats.published, 0);
  await assert.rejects(publisher.publish(frame(9)), /the publisher is closed/);
});
