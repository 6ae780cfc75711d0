/** Alerts that the log remembers: of before this viewer, and of runtimes elsewhere. */
import assert from "node:assert/strict";
import type { Alert, Frame } from "../../runtime/definition/frame.ts";
import type { LogReader } from "../../runtime/log/log.ts";
import { alertRecord, alertTopic } from "../../runtime/sinks/findings.ts";
import { FakeClock } from "../../runtime/testing/fake_clock.ts";
import { MemoryLog } from "../../runtime/testing/memory_log.ts";
import { AlertBook } from "../../viewer/alerts.ts";
import { LogFeed } from "../../viewer/log_feed.ts";
import type { AlertView } from "../../viewer/protocol.ts";
import { startViewer, type Viewer } from "../../viewer/viewer.ts";
// Loads FFmpeg before the tests begin, each of which must leave as much as it found.
import "../../runtime/video/h264_encoding.ts";
import { FakeLanes, paintCode } from "../support/fake_lanes.ts";
import { recorded as recordedLog, TestPage, until } from "./kit.ts";

const TOPIC = "VideoStreaming";
const AGO = Date.now() - 3_600_000;

/** Two cameras of an hour ago, five pictures a second. */
const recorded = () =>
  recordedLog(30, (offset) => AGO + 200 * offset, (...ids) => paintCode(...ids, 640, 360));

/** What a runtime remembers of an alert on a frame. */
async function remember(
  log: MemoryLog,
  partition: number,
  offset: number,
  alert: Partial<Alert>,
  timestamp = AGO + 200 * offset,
): Promise<void> {
  const frame: Frame = {
    topic: TOPIC,
    partition,
    offset,
    timestamp,
    key: null,
    headers: {},
    value: new Uint8Array(),
    result: { alert: { id: "a", state: "start", label: "fight", peak: 0.7, ...alert } },
  };
  const { topic, ...record } = alertRecord(frame, "action");
  await log.createTopic(topic, 2);
  log.append(topic, partition, [record]);
}

async function alertsOf(viewer: Viewer): Promise<AlertView[]> {
  return await (await fetch(`${viewer.url}api/alerts`)).json();
}

/** `deno task viewer`: the log alone. */
async function withLogViewer(log: MemoryLog, body: (viewer: Viewer) => Promise<void>) {
  const feed = new LogFeed({ log, topics: [TOPIC] });
  await feed.start();
  const metrics = () => Promise.resolve("");
  const viewer = await startViewer({ feed, log, metrics, topics: [TOPIC], port: 0 });
  try {
    await body(viewer);
  } finally {
    await viewer.stop();
    await feed.close();
  }
}

Deno.test("a viewer of the log alone shows alerts of before its start, each once, with picture and clip", async () => {
  const log = await recorded();
  await remember(log, 1, 20, { id: "b", label: "fall" });
  await remember(log, 0, 10, { state: "start", peak: 0.7 });
  await remember(log, 0, 12, { state: "update", peak: 0.9 });
  await remember(log, 0, 12, { state: "update", peak: 0.9 }); // by a second runtime
  await remember(log, 0, 15, { state: "end", peak: 0.9 });
  log.append(alertTopic(TOPIC), 0, [
    { key: null, value: new Uint8Array([123]), timestamp: 0, headers: {} },
    { key: null, value: new TextEncoder().encode('{"alert":{}}'), timestamp: 0, headers: {} },
  ]);
  await withLogViewer(log, async (viewer) => {
    await until(async () => (await alertsOf(viewer)).length === 2);
    const [first, second] = await alertsOf(viewer);
    assert.deepEqual(first, {
      id: "VideoStreaming 0 a",
      lane: "raw-0",
      partition: 0,
      camera: "CAMERA-1",
      label: "fight",
      peak: 0.9,
      active: false,
      fromOffset: 10,
      toOffset: 15,
      fromTime: AGO + 2_000,
      toTime: AGO + 3_000,
    });
    // Its runtime is gone, or else more would have been heard of it since.
    assert.deepEqual([second!.label, second!.lane, second!.active], ["fall", "raw-1", false]);

    const thumbnail = `${viewer.url}api/alerts/thumbnail?id=${encodeURIComponent(first!.id)}`;
    const picture = await fetch(thumbnail);
    assert.equal(picture.headers.get("content-type"), "image/jpeg");
    assert.ok((await picture.bytes()).length > 500);
    const range = `after=${first!.fromTime - 400}&before=${first!.toTime + 400}`;
    const clip = await fetch(`${viewer.url}api/clip.mp4?lane=${first!.lane}&${range}`);
    assert.match(clip.headers.get("content-disposition")!, /camera-1-8-16\.mp4/);
    assert.ok((await clip.bytes()).length > 1_000);

    const page = await TestPage.open(viewer);
    const told = () =>
      page.messages.flatMap((message) => message.type === "alerts" ? message.alerts : []);
    await until(() => told().length === 2);
    await remember(log, 1, 25, { id: "c", label: "fall" }, Date.now());
    await until(() => told().length === 3);
    const { label, active } = told().at(-1)!;
    assert.deepEqual([label, active], ["fall", true]);
    await remember(log, 1, 26, { id: "c", label: "fall", state: "end" }, Date.now());
    await until(() => told().at(-1)!.active === false);
    await page.close();
  });
});

Deno.test("an alert whose frames are gone has no picture, and says so without an error", async () => {
  const log = await recorded();
  await remember(log, 0, 10, { state: "end" });
  log.expire(TOPIC, 0, 20);
  await withLogViewer(log, async (viewer) => {
    await until(async () => (await alertsOf(viewer)).length === 1);
    const picture = await fetch(`${viewer.url}api/alerts/thumbnail?id=VideoStreaming%200%20a`);
    assert.equal(picture.status, 204);
    const range = `after=${AGO + 1_600}&before=${AGO + 2_400}`;
    const clip = await fetch(`${viewer.url}api/clip.mp4?lane=raw-0&${range}`);
    assert.equal(clip.status, 404);
    await clip.body!.cancel();
  });
});

Deno.test("what a runtime says at once and what the log says later is one episode, on its query's lane", async () => {
  const log = await recorded();
  await remember(log, 0, 2, { id: "old", state: "end" });
  const lanes = new FakeLanes({ count: 2, query: "action" });
  const metrics = () => Promise.resolve("");
  const viewer = await startViewer({ feed: lanes, log, metrics, topics: [TOPIC], port: 0 });
  try {
    const live = (state: "start" | "end", offset: number) =>
      lanes.push("action-1", {
        offset,
        result: { alert: { id: "a", state, label: "fight", peak: 0.8 } },
      });
    live("start", 10);
    live("end", 14);
    await until(async () => (await alertsOf(viewer)).length === 2);
    await remember(log, 1, 10, { state: "start", peak: 0.7 }, Date.now());
    await remember(log, 1, 12, { state: "update", peak: 0.95 }, Date.now());
    await until(async () => (await alertsOf(viewer)).some(({ peak }) => peak === 0.95));
    const seen = await alertsOf(viewer);
    assert.deepEqual(
      seen.map(({ lane, active, fromOffset, toOffset }) => [lane, active, fromOffset, toOffset]),
      [["action-0", false, 2, 2], ["action-1", false, 10, 14]],
    );
  } finally {
    await viewer.stop();
  }
});

Deno.test("an alert is sent again when its own lane comes or goes, not when another one does", async () => {
  const clock = new FakeClock();
  const feed = new FakeLanes({ count: 3, clock });
  let lanes = feed.lanes().slice(0, 2);
  const book = new AlertBook({ feed, lanes: () => lanes, clock });
  feed.push("greyscale-1", {
    result: { alert: { id: "a", state: "end", label: "fight", peak: 0.8 } },
  });
  const { version } = book;
  const change = async (next: typeof lanes) => {
    lanes = next;
    await clock.advance(2_000);
    return book.version > version;
  };
  assert.equal(await change(feed.lanes().toReversed()), false);
  assert.equal(await change(feed.lanes().slice(1)), false);
  assert.equal(await change(feed.lanes().slice(0, 1)), true);
  await book.close();
});

/** An `AlertBook` that has looked into the log once, and one more look. */
async function reading(log: MemoryLog) {
  const clock = new FakeClock(Date.now());
  const feed = new FakeLanes({ count: 1, clock });
  const book = new AlertBook({ feed, lanes: () => feed.lanes(), clock });
  book.follow(log, [TOPIC]);
  await until(() => clock.sleeping > 0);
  return {
    /** Whether the alert of the next look is active. */
    async next(): Promise<boolean> {
      await clock.advance(2_000);
      await until(() => clock.sleeping > 0 && book.version > 0);
      return book.since(0, { partitions: "all" })[0]!.active;
    },
    seen: () => book.since(0, { partitions: "all" }).map(({ id }) => id.at(-1)).sort().join(""),
    close: () => book.close(),
  };
}

Deno.test("alerts of before the start count as old, even if the log fails while they are read", async () => {
  const log = await recorded();
  await remember(log, 0, 10, { state: "start" });
  const reader = log.reader.bind(log);
  log.reader = async () => {
    log.reader = reader;
    const failing = await reader();
    const open = failing.open.bind(failing);
    failing.open = () => {
      failing.open = open;
      return Promise.reject(new Error("Away"));
    };
    return failing;
  };
  const book = await reading(log);
  assert.equal(await book.next(), false);
  await book.close();
});

Deno.test("alerts in a topic that is created after the start are new", async () => {
  const log = await recorded();
  const book = await reading(log);
  await remember(log, 0, 10, { state: "start" });
  assert.equal(await book.next(), true);
  await book.close();
});

Deno.test("a topic of alerts that was deleted and created again is read from its start", async () => {
  const before = await recorded();
  for (const id of ["a", "b"]) await remember(before, 0, 10, { id });
  const after = await recorded();
  await remember(after, 0, 12, { id: "c" });
  let current = before;
  const log: MemoryLog = Object.assign(Object.create(before), {
    partitionCount: (topic: string) => current.partitionCount(topic),
    offsets: (...of: Parameters<MemoryLog["offsets"]>) => current.offsets(...of),
    reader: () =>
      Promise.resolve({
        open: async (...of: Parameters<LogReader["open"]>) =>
          await (await current.reader()).open(...of),
        close: () => Promise.resolve(),
      }),
  });
  const book = await reading(log);
  assert.equal(book.seen(), "ab");
  current = after;
  await book.next();
  await book.next();
  assert.equal(book.seen(), "abc");
  await book.close();
});
