/** What queries found in frames of the past: from the topic of findings, on any wall. */
import assert from "node:assert/strict";
import type { Frame, Result } from "../../runtime/definition/frame.ts";
import type { Places } from "../../runtime/definition/places.ts";
import { encodeJpeg } from "../../runtime/image/jpeg.ts";
import { findingsRecord, findingsTopic } from "../../runtime/sinks/findings.ts";
import { MemoryLog } from "../../runtime/testing/memory_log.ts";
// Loads FFmpeg before the tests begin, each of which must leave as much as it found.
import "../../runtime/video/h264_encoding.ts";
import { History } from "../../viewer/history.ts";
import { LogFeed } from "../../viewer/log_feed.ts";
import { FakeLanes, paintCode } from "../support/fake_lanes.ts";
import { TestPage, until, withViewer } from "./kit.ts";

const TOPIC = "VideoStreaming";
const AGO = Date.now() - 3_600_000;
const PLACES: Places = { zones: [], lines: [{ name: "door", from: [0, 0], to: [1, 1] }] };
const box = [10, 20, 110, 220] as const;

const frameOf = (partition: number, offset: number, result?: Result): Frame => ({
  topic: TOPIC,
  partition,
  offset,
  timestamp: AGO + 200 * offset,
  key: null,
  headers: {},
  value: paintCode(partition, offset, 64, 48),
  ...(result === undefined ? {} : { result }),
});

const person = (offset: number): Result => ({
  frames: [{
    offset,
    timestamp: AGO + 200 * offset,
    objects: [{ label: "person", score: 0.9, box }],
  }],
});

/** Two cameras of an hour ago, five pictures a second, and a topic for what is found in them. */
async function recorded() {
  const log = new MemoryLog();
  await log.createTopic(TOPIC, 2);
  await log.createTopic(findingsTopic(TOPIC), 2);
  for (const partition of [0, 1]) {
    for (let offset = 0; offset < 30; offset++) {
      log.append(TOPIC, partition, [frameOf(partition, offset)]);
    }
  }
  const find = (partition: number, offset: number, query: string, result: Result) => {
    const { topic, ...record } = findingsRecord(
      frameOf(partition, offset, result),
      query,
      query === "count" ? PLACES : undefined,
    )!;
    log.append(topic, partition, [record]);
  };
  return { log, find };
}

Deno.test("any frame of the past shows what was found in it, over the camera's own picture", async () => {
  const { log, find } = await recorded();
  find(0, 11, "action", { scores: { fight: 0.2 } });
  find(0, 12, "action", person(12));
  find(0, 12, "other", { scores: { wrong: 1 } });
  const lanes = new FakeLanes({ count: 2, query: "action" });
  const grey = await encodeJpeg({ data: new Uint8Array(64), width: 8, height: 8, channels: 1 });
  lanes.push("action-0", { bytes: grey });
  lanes.push("action-1");
  await withViewer({ feed: lanes, log }, async (viewer) => {
    const page = await TestPage.open(viewer);
    page.watch("action-0", "action-1");
    await until(() => page.pictures.length === 2);
    assert.equal(page.newest(0)!.source, undefined);
    await page.time({ action: "seek", lead: "action-0", offset: 12 });
    await until(() => page.newest(0)?.offset === 12 && page.newest(1) !== undefined);
    assert.deepEqual(page.newest(0)!.result?.frames, person(12).frames);
    // The query has kept no picture: the page says so, and shows it grey as the query's own are.
    assert.deepEqual(page.newest(0)!.source, { grey: true });
    assert.deepEqual(page.newest(1)!.source, { grey: false });
    await page.time({ action: "step", lead: "action-0", offset: 12, by: -1 });
    await until(() => page.newest(0)?.offset === 11);
    assert.deepEqual(page.newest(0)!.result?.scores, { fight: 0.2 });
    await page.time({ action: "step", lead: "action-0", offset: 11, by: 2 });
    await until(() => page.newest(0)?.offset === 13);
    assert.equal(page.newest(0)!.result, undefined);
    await page.close();
  });
});

Deno.test("a raw lane shows what any query found: objects first, with the places that were watched", async () => {
  const { log, find } = await recorded();
  find(0, 3, "motion", { scores: { motion: 0.1 } });
  find(0, 3, "count", person(3));
  find(0, 9, "window", {
    window: {
      firstOffset: 6,
      lastOffset: 9,
      firstTimestamp: AGO + 1_200,
      lastTimestamp: AGO + 1_800,
      frames: 4,
      gaps: 0,
    },
    scores: { fight: 0.7 },
  });
  const history = new History({ log });
  const raw = { ...new FakeLanes({ count: 1 }).lanes()[0]!, query: "raw" };
  const found = async (offset: number) => (await history.at(raw, offset))!.result;
  assert.deepEqual((await found(3))?.frames, person(3).frames);
  assert.deepEqual((await found(3))?.places, PLACES);
  for (const offset of [6, 7, 9]) assert.deepEqual((await found(offset))?.scores, { fight: 0.7 });
  for (const offset of [2, 4, 5, 10]) assert.equal(await found(offset), undefined);
  await history.close();
});

Deno.test("what is played is looked up once for many frames, and what comes later is found", async () => {
  const { log, find } = await recorded();
  for (let offset = 0; offset < 20; offset++) find(0, offset, "action", person(offset));
  let asked = 0;
  const offsetForTime = log.offsetForTime.bind(log);
  log.offsetForTime = (topic, partition, time) => {
    if (topic === findingsTopic(TOPIC)) asked++;
    return offsetForTime(topic, partition, time);
  };
  const history = new History({ log });
  const lane = { ...new FakeLanes({ count: 1, query: "action" }).lanes()[0]! };
  for (let offset = 0; offset < 20; offset++) {
    assert.equal((await history.at(lane, offset))!.result?.frames?.at(0)?.offset, offset);
  }
  assert.ok(asked < 5, `asked ${asked} times`);
  assert.equal((await history.at(lane, 25))!.result, undefined);
  find(0, 25, "action", person(25));
  await until(async () => (await history.at(lane, 25))!.result !== undefined, "it is found");
  await history.close();
});

Deno.test("a wall that sees the log alone draws what queries of other processes find, live", async () => {
  const log = new MemoryLog();
  await log.createTopic(TOPIC, 1);
  const feed = new LogFeed({ log, topics: [TOPIC] });
  await feed.start();
  let offset = 0;
  const pictureAfter = async (result?: Result) => {
    const frame = { ...frameOf(0, offset, result), timestamp: Date.now() };
    log.append(TOPIC, 0, [frame]);
    if (result !== undefined) {
      log.append(findingsTopic(TOPIC), 0, [findingsRecord(frame, "action")!]);
    }
    await until(() => feed.latest("raw-0")?.offset === offset);
    offset++;
    return feed.latest("raw-0")!.result;
  };
  try {
    feed.demand(new Map([["raw-0", "pictures"]]));
    // The topic is made with the first result.
    assert.equal(await pictureAfter(), undefined);
    await log.createTopic(findingsTopic(TOPIC), 1);
    await until(async () => (await pictureAfter(person(offset))) !== undefined, "results come");
    const { query, window, frames } = (await pictureAfter())!;
    assert.equal(query, "action");
    assert.ok(window!.lastOffset < offset - 1, "found in a frame before this one");
    assert.deepEqual(frames!.at(0)!.objects, person(0).frames!.at(0)!.objects);
    // A scene that was long ago is another scene.
    const late = { ...frameOf(0, offset), timestamp: Date.now() + 60_000 };
    log.append(TOPIC, 0, [late]);
    await until(() => feed.latest("raw-0")?.offset === offset);
    assert.equal(feed.latest("raw-0")!.result, undefined);
  } finally {
    await feed.close();
  }
});

Deno.test("records of others in the topic of findings are left out, whatever they are", async () => {
  const { log } = await recorded();
  const window = { firstOffset: 5, lastOffset: 5 };
  const foreign: unknown[] = [
    null,
    5,
    "{",
    { window: 5 },
    { window, frames: 5 },
    { window, frames: [null] },
    { window, frames: [{ objects: {} }] },
    { window, frames: [{ objects: [{ label: "x", score: 1 }] }] },
    { window, frames: [{ objects: [{ label: "x", score: "1", box: [] }] }] },
    { window, scores: { fight: "much" } },
    { window, counts: { door: 3 } },
    { window, places: { zones: [{ name: "x" }], lines: [] } },
  ];
  for (const value of foreign) {
    const bytes = new TextEncoder().encode(
      typeof value === "string" ? value : JSON.stringify(value),
    );
    log.append(findingsTopic(TOPIC), 0, [
      { key: null, value: bytes, timestamp: AGO + 1_000, headers: {} },
    ]);
  }
  const history = new History({ log });
  const raw = { ...new FakeLanes({ count: 1 }).lanes()[0]!, query: "raw" };
  assert.equal((await history.at(raw, 5))!.result, undefined);
  await history.close();
});
