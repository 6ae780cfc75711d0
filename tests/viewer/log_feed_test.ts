import assert from "node:assert/strict";
import { LogError, type LogRecord } from "../../runtime/log/log.ts";
import type { Lane, LanePicture } from "../../runtime/lanes.ts";
import { MemoryLog } from "../../runtime/testing/memory_log.ts";
import type { KnownCamera } from "../../viewer/known_cameras.ts";
import { FakeClock } from "../../runtime/testing/fake_clock.ts";
import { LogFeed } from "../../viewer/log_feed.ts";
import { cameraText } from "../../viewer/protocol.ts";
import { startViewer, type Viewer } from "../../viewer/viewer.ts";
import { FakeLanes, paintCode } from "../support/fake_lanes.ts";
import { recorded, TestPage, until, withViewer } from "./kit.ts";

const frame = (offset: number, change: Partial<LogRecord> = {}): LogRecord => ({
  key: null,
  value: paintCode(0, offset, 32, 16),
  timestamp: Date.now(),
  headers: {},
  ...change,
});

async function withFeed(
  topics: Record<string, number>,
  body: (feed: LogFeed, log: MemoryLog) => Promise<void>,
): Promise<void> {
  const log = new MemoryLog();
  for (const [topic, partitions] of Object.entries(topics)) {
    if (partitions > 0) await log.createTopic(topic, partitions);
  }
  const feed = new LogFeed({ log, topics: Object.keys(topics), pollMs: 20 });
  await feed.start();
  try {
    await body(feed, log);
  } finally {
    await feed.close();
  }
}

Deno.test("each partition of each topic is a lane of its own", async () => {
  await withFeed({ VideoStreaming: 2, "grey.out": 1 }, (feed) => {
    assert.deepEqual(
      feed.lanes().map(({ id, topic, partition, camera, query }) => [
        id,
        topic,
        partition,
        camera,
        query,
      ]),
      [
        ["raw-0", "VideoStreaming", 0, "CAMERA-1", "raw"],
        ["raw-1", "VideoStreaming", 1, "CAMERA-2", "raw"],
        ["raw-0-grey.out", "grey.out", 0, "CAMERA-1", "raw"],
      ],
    );
    return Promise.resolve();
  });
});

Deno.test("a partition is read while somebody looks, from its last frame on", async () => {
  await withFeed({ VideoStreaming: 2 }, async (feed, log) => {
    for (let offset = 0; offset < 10; offset++) log.append("VideoStreaming", 0, [frame(offset)]);
    const seen: LanePicture[] = [];
    feed.subscribe((picture) => void seen.push(picture));
    feed.demand(new Map([["raw-0", "pictures"]]));
    await until(() => seen.length === 1);
    assert.equal(seen[0]!.offset, 9);
    log.append("VideoStreaming", 0, [frame(10, { key: "GATE" })]);
    log.append("VideoStreaming", 1, [frame(0)]);
    await until(() => seen.length === 2);
    assert.deepEqual([seen[1]!.lane, seen[1]!.offset], ["raw-0", 10]);
    assert.equal(feed.latest("raw-0"), seen[1]);
    assert.equal(feed.lanes()[0]!.camera, "GATE");
    assert.ok(feed.lanes()[0]!.latencyP50Ms! >= 0);
    feed.demand(new Map());
    log.append("VideoStreaming", 0, [frame(11)]);
    feed.demand(new Map([["raw-1", "pictures"]]));
    await until(() => seen.length === 3);
    assert.equal(seen[2]!.lane, "raw-1");
  });
});

Deno.test("cameras have names where no page looks; partitions that none used are marked", async () => {
  const log = new MemoryLog();
  await log.createTopic("VideoStreaming", 3);
  const headers = { "camera-name": "Loading dock", "camera-place": "Hall 2" };
  log.append("VideoStreaming", 0, [frame(0, { key: "CAMERA-1", headers })]);
  log.append("VideoStreaming", 1, [frame(0, { key: "front-door" })]);
  const lanes = new FakeLanes({ count: 3 });
  const feed = new LogFeed({ log, topics: ["VideoStreaming"], pollMs: 20 });
  await feed.start();
  const options = { topics: ["VideoStreaming"], log, metrics: () => Promise.resolve(""), port: 0 };
  const viewers = [
    await startViewer({ ...options, feed }),
    await startViewer({ ...options, feed: lanes }),
  ];
  type Named = Pick<Lane, "id" | "camera" | "cameraName" | "place" | "unused" | "partition">;
  const seen = async ({ url }: Viewer, query: string) =>
    (await (await fetch(`${url}api/lanes`)).json() as Named[])
      .filter(({ id }) => id.startsWith(query))
      .map((lane) => [cameraText(lane), lane.place, lane.unused]);
  const expected = [
    ["Loading dock (CAMERA-1)", "Hall 2", undefined],
    ["front-door (CAMERA-2)", undefined, undefined],
    ["CAMERA-3", undefined, true],
  ];
  try {
    for (const [viewer, query] of [[viewers[0]!, "raw"], [viewers[1]!, "greyscale"]] as const) {
      await until(async () => (await seen(viewer, query))[1]?.[0] === expected[1]![0]);
      await until(async () => (await seen(viewer, query))[0]?.[0] === expected[0]![0]);
      assert.deepEqual(await seen(viewer, query), expected);
    }
    // A query that is behind names the camera as it was, one that is ahead of this reader as it is.
    lanes.change("greyscale-0", { cameraName: "Dock", lastFrameTimestamp: 1 });
    assert.deepEqual((await seen(viewers[1]!, "greyscale"))[0], expected[0]);
    lanes.change("greyscale-0", { cameraName: "Gate", lastFrameTimestamp: Date.now() + 1 });
    await until(async () => (await seen(viewers[1]!, "greyscale"))[0]?.[0] === "Gate (CAMERA-1)");
    log.append("VideoStreaming", 2, [frame(0)]);
    await until(async () => (await seen(viewers[0]!, "raw"))[2]?.[2] === undefined);
  } finally {
    for (const viewer of viewers) await viewer.stop();
    await feed.close();
  }
});

Deno.test("a log that is away says so, also before there is a lane", async () => {
  const log = new MemoryLog();
  const there = log.partitionCount.bind(log);
  const away = () => Promise.reject(new LogError("UNREACHABLE", "Cannot reach the log"));
  log.partitionCount = away;
  const feed = new LogFeed({ log, topics: ["VideoStreaming"], pollMs: 20 });
  await feed.start();
  try {
    assert.deepEqual(feed.lanes(), []);
    assert.equal(feed.problem, "Cannot reach the log. Retrying …");
    log.partitionCount = there;
    await log.createTopic("VideoStreaming", 1);
    await until(() => feed.lanes().length === 1 && feed.problem === undefined);
    assert.equal(feed.lanes()[0]!.trouble, undefined);
    log.partitionCount = away;
    await until(() => feed.lanes()[0]!.trouble === "The log is unreachable");
    const deleted = new LogError("DELETED", "It was deleted; restart", { retryable: false });
    log.partitionCount = () => Promise.reject(deleted);
    await until(() => feed.lanes().length === 1 && feed.problem === "It was deleted; restart");
  } finally {
    await feed.close();
  }
});

Deno.test("a registered camera has a name before its first frame, and tells its trouble", async () => {
  const log = new MemoryLog();
  await log.createTopic("VideoStreaming", 3);
  log.append("VideoStreaming", 0, [frame(0, { headers: { "camera-name": "Gate" } })]);
  const since = Date.UTC(2026, 0, 1);
  let cameras: KnownCamera[] = [
    { number: 1, name: "Old name" },
    {
      number: 2,
      name: "Dock",
      place: "Hall 2",
      trouble: "Cannot open rtsp://u:secret@host/",
      since,
    },
  ];
  const clock = new FakeClock();
  const feed = new LogFeed({
    log,
    topics: ["VideoStreaming"],
    clock,
    cameras: () => Promise.resolve(cameras),
  });
  await feed.start();
  try {
    await until(
      () => feed.lanes()[0]!.cameraName === "Gate",
      "the frame's own name is the newer one",
    );
    const { cameraName, place, trouble, troubleSince, unused } = feed.lanes()[1]!;
    assert.deepEqual([cameraName, place, troubleSince, unused], [
      "Dock",
      "Hall 2",
      since,
      undefined,
    ]);
    assert.doesNotMatch(trouble!, /secret/);
    assert.equal(feed.lanes()[2]!.unused, true);
    cameras = [];
    await clock.advance(2_000);
    await feed.measure();
    assert.equal(feed.lanes()[1]!.trouble, undefined, "what was removed is forgotten");
    assert.equal(feed.lanes()[1]!.unused, true);
  } finally {
    await feed.close();
  }
});

Deno.test("what no page shows can still be asked for once", async () => {
  await withFeed({ VideoStreaming: 1 }, async (feed, log) => {
    assert.equal(await feed.refresh("raw-0"), undefined);
    log.append("VideoStreaming", 0, [frame(0), frame(1)]);
    assert.equal((await feed.refresh("raw-0"))!.offset, 1);
    assert.equal((await feed.refresh("raw-0"))!.offset, 1);
    assert.equal(await feed.refresh("raw-7"), undefined);
  });
});

Deno.test("the first request of all finds the newest frame of a query without pictures", async () => {
  const log = await recorded(3, (offset) => offset, (...ids) => paintCode(...ids, 64, 48));
  await withViewer({ log, lanes: { count: 2 } }, async (viewer) => {
    const picture = await fetch(`${viewer.url}cam/1.jpg`);
    assert.equal(picture.headers.get("x-framelane-offset"), "2");
    await picture.body!.cancel();
  });
});

Deno.test("topics and partitions that come later are found", async () => {
  await withFeed({ VideoStreaming: 0 }, async (feed, log) => {
    assert.deepEqual(feed.lanes(), []);
    await log.createTopic("VideoStreaming", 1);
    await until(() => feed.lanes().length === 1);
    await log.createTopic("VideoStreaming", 3);
    await until(() => feed.lanes().length === 3);
  });
});

Deno.test("a log that fails is read again; meanwhile its lanes say why", async () => {
  await withFeed({ VideoStreaming: 1 }, async (feed, log) => {
    const seen: LanePicture[] = [];
    feed.subscribe((picture) => void seen.push(picture));
    log.fail = () => {
      throw new LogError("INTERNAL", "The disk is on fire");
    };
    feed.demand(new Map([["raw-0", "pictures"]]));
    await until(() => feed.lanes()[0]!.exception === "The disk is on fire");
    assert.equal(feed.lanes()[0]!.state, "restarting");
    log.fail = () => {};
    log.append("VideoStreaming", 0, [frame(0)]);
    await until(() => seen.length === 1);
    await until(() => feed.lanes()[0]!.state === "running");
  });
});

Deno.test("frames that retention took under a reader are left out, not waited for", async () => {
  await withFeed({ VideoStreaming: 1 }, async (feed, log) => {
    const seen: LanePicture[] = [];
    feed.subscribe((picture) => void seen.push(picture));
    log.append("VideoStreaming", 0, [frame(0)]);
    feed.demand(new Map([["raw-0", "pictures"]]));
    await until(() => seen.length === 1);
    log.append("VideoStreaming", 0, [frame(1), frame(2)]);
    log.expire("VideoStreaming", 0, 3);
    log.append("VideoStreaming", 0, [frame(3)]);
    await until(() => seen.at(-1)?.offset === 3);
  });
});

Deno.test("records that are no pictures are not shown", async () => {
  await withFeed({ VideoStreaming: 1 }, async (feed, log) => {
    const seen: LanePicture[] = [];
    feed.subscribe((picture) => void seen.push(picture));
    feed.demand(new Map([["raw-0", "pictures"]]));
    log.append("VideoStreaming", 0, [frame(0, { value: new TextEncoder().encode("{}") })]);
    log.append("VideoStreaming", 0, [frame(1)]);
    await until(() => seen.length > 0);
    assert.deepEqual(seen.map(({ offset }) => offset), [1]);
  });
});

Deno.test("a viewer of a log alone: live, snapshots, and back in time", async () => {
  await withFeed({ VideoStreaming: 1 }, async (feed, log) => {
    log.append("VideoStreaming", 0, [frame(0), frame(1), frame(2)]);
    const viewer = await startViewer({
      feed,
      log,
      topics: ["VideoStreaming"],
      metrics: () => Promise.resolve(""),
      port: 0,
    });
    try {
      const snapshot = await fetch(`${viewer.url}cam/1.jpg`);
      assert.equal(snapshot.headers.get("x-framelane-offset"), "2");
      await snapshot.body!.cancel();
      const page = await TestPage.open(viewer);
      page.watch("raw-0");
      log.append("VideoStreaming", 0, [frame(3)]);
      await until(() => page.newest(0)?.offset === 3);
      await page.time({ action: "seek", lead: "raw-0", offset: 1 });
      await until(() => page.newest(0)?.offset === 1);
      const kept = await fetch(`${viewer.url}api/frame?lane=raw-0&offset=2`);
      assert.equal(kept.status, 200);
      await kept.body!.cancel();
      await page.close();
    } finally {
      await viewer.stop();
    }
  });
});

Deno.test("a query without a display is shown by what it writes, or else by what it reads", async () => {
  const log = new MemoryLog();
  await log.createTopic("VideoStreaming", 2);
  await log.createTopic("grey", 2);
  const lanes = new FakeLanes({ count: 2 });
  lanes.add({ ...lanes.lanes()[1]!, id: "motion-1", query: "motion" });
  for (const { id } of lanes.lanes()) lanes.change(id, { lastFrameTimestamp: Date.now() });
  const viewer = await startViewer({
    feed: lanes,
    log,
    topics: ["VideoStreaming"],
    outputTopics: { greyscale: "grey" },
    metrics: () => Promise.resolve(""),
    port: 0,
  });
  try {
    const page = await TestPage.open(viewer);
    page.watch("greyscale-0", "motion-1", "greyscale-1");
    const written = frame(7, { headers: { "source-offset": "70" } });
    log.append("grey", 0, [written]);
    const read = frame(9);
    log.append("VideoStreaming", 1, [read]);
    await until(() => page.newest(0)?.offset === 70 && page.newest(1)?.offset === 0);
    assert.deepEqual(page.newest(0)!.image, written.value);
    assert.deepEqual(page.newest(1)!.image, read.value);
    // Its topic holds no picture, only what was found.
    log.append("grey", 1, [frame(1, { value: new TextEncoder().encode("{}") })]);
    log.append("VideoStreaming", 1, [frame(10)]);
    await until(() => page.newest(2)?.offset === 1);
    const snapshot = await fetch(`${viewer.url}cam/1.jpg`);
    assert.equal(snapshot.headers.get("x-framelane-offset"), "70");
    await snapshot.body!.cancel();
    // A display of its own comes first.
    const own = lanes.push("greyscale-0", { offset: 71 });
    await until(() => page.newest(0)?.offset === 71);
    assert.deepEqual(page.newest(0)!.image, own.bytes);
    const shown = await (await fetch(`${viewer.url}api/lanes`)).json();
    assert.deepEqual(
      shown.map(({ id }: { id: string }) => id),
      ["greyscale-0", "raw-0", "greyscale-1", "motion-1", "raw-1"],
    );
    await page.close();
  } finally {
    await viewer.stop();
  }
});
