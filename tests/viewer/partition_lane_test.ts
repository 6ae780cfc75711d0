import assert from "node:assert/strict";
import { cameraIdentity } from "../../runtime/lanes.ts";
import { FakeClock } from "../../runtime/testing/fake_clock.ts";
import { MemoryLog } from "../../runtime/testing/memory_log.ts";
import { LogFeed } from "../../viewer/log_feed.ts";
import type { LaneView } from "../../viewer/protocol.ts";
import { startViewer } from "../../viewer/viewer.ts";
import { paintCode } from "../support/fake_lanes.ts";
import { TestPage, until } from "./kit.ts";

const frame = (offset: number, timestamp: number) => ({
  key: null,
  value: paintCode(0, offset, 32, 16),
  timestamp,
  headers: {},
});

Deno.test("a frame that was in the log before anybody looked is no sign of life", async () => {
  const log = new MemoryLog();
  await log.createTopic("VideoStreaming", 2);
  const captured = Date.now() - 30_000;
  for (const partition of [0, 1]) {
    log.append("VideoStreaming", partition, [frame(0, captured)]);
  }
  const topics = ["VideoStreaming"];
  const feed = new LogFeed({ log, topics, pollMs: 20 });
  await feed.start();
  const metrics = () => Promise.resolve("");
  const viewer = await startViewer({ feed, log, topics, metrics, port: 0 });
  const page = await TestPage.open(viewer);
  try {
    const lane = async (index: number) => {
      const lanes = await (await fetch(`${viewer.url}api/lanes`)).json() as LaneView[];
      return [lanes[index]!.stalledSince, lanes[index]!.latencyP50Ms];
    };
    const isOld = async (index: number) => {
      const [since, latency] = await lane(index);
      // Between the wall clock and the monotonic one lies a rounding.
      assert.ok(Math.abs(since! - captured) <= 2, `stalled since ${since! - captured} ms after`);
      assert.equal(latency, undefined);
    };
    // Watched, not watched, asked for once.
    page.watch("raw-0");
    await until(() => page.newest(0)?.offset === 0);
    await isOld(0);
    await isOld(1);
    await (await fetch(`${viewer.url}cam/2.jpg`)).body!.cancel();
    await isOld(1);
    log.append("VideoStreaming", 0, [frame(1, Date.now())]);
    await until(async () => (await lane(0))[0] === undefined);
    assert.ok((await lane(0))[1]! < 20_000);
  } finally {
    await page.close();
    await viewer.stop();
    await feed.close();
  }
});

Deno.test("a frame that came while nobody looked arrived when it was captured", async () => {
  const log = new MemoryLog();
  await log.createTopic("VideoStreaming", 1);
  log.append("VideoStreaming", 0, [frame(0, 0)]);
  const clock = new FakeClock();
  const feed = new LogFeed({ log, topics: ["VideoStreaming"], clock });
  await feed.start();
  const captured = clock.now() + 10_000;
  await clock.advance(20_000);
  log.append("VideoStreaming", 0, [frame(1, captured)]);
  await feed.measure();
  const [lane] = feed.lanes();
  assert.equal(lane?.lastFrameArrival, captured);
  assert.equal(lane?.framesPerSecondIn, 0);
  await feed.close();
});

Deno.test("names of foreign producers are short and steer no text around them", () => {
  const identity = (name: string) => {
    const headers = { "camera-name": name, "camera-place": name };
    return cameraIdentity({ key: name, partition: 6, headers });
  };
  const cases = [
    ["\u202egnp.evil\u2069", "gnp.evil"],
    ["Dock\r\n\0\u2028 2", "Dock 2"],
    ["\u{1f408}\u200d\u2b1b مخزن", "\u{1f408}\u200d\u2b1b مخزن"],
    ["N".repeat(10_000), "N".repeat(100)],
    ["\u{1f408}".repeat(101), "\u{1f408}".repeat(100)],
  ] as const;
  for (const [given, name] of cases) {
    assert.deepEqual(identity(given), { camera: name, cameraName: name, place: name });
  }
  assert.deepEqual(identity("\u202e\0"), { camera: "CAMERA-7" });
});
