import assert from "node:assert/strict";
import { decodeImage } from "../../runtime/image/decode.ts";
import { asImage } from "../../runtime/image/picture.ts";
import type { Lane } from "../../runtime/lanes.ts";
import { MemoryLog } from "../../runtime/testing/memory_log.ts";
// Loads FFmpeg before the tests begin, each of which must leave as much as it found.
import "../../runtime/video/h264_encoding.ts";
import { GroupTracker } from "../../runtime/video/groups.ts";
import { History } from "../../viewer/history.ts";
import { LogFeed } from "../../viewer/log_feed.ts";
import { accessUnits } from "../support/access_units.ts";
import { FakeLanes } from "../support/fake_lanes.ts";
import { Random } from "../support/random.ts";

const TOPIC = "VideoStreaming";
const lane: Lane = new FakeLanes({ count: 1 }).lanes()[0]!;
const headers = { "content-type": "video/h264" };
const units = await accessUnits({ frames: 60, gop: 20 });

async function logOf(values: readonly Uint8Array[]): Promise<MemoryLog> {
  const log = new MemoryLog();
  await log.createTopic(TOPIC, 1);
  log.append(
    TOPIC,
    0,
    values.map((value, i) => ({ key: null, value, timestamp: 1_000_000 + i * 40, headers })),
  );
  return log;
}

async function grey(jpeg: Uint8Array): Promise<Uint8Array> {
  const image = await decodeImage(jpeg, 1);
  const copy = image.data.slice();
  image.release();
  return copy;
}

/** What each offset shows, decoded from the first unit on. */
async function expectedPictures(log: MemoryLog): Promise<Uint8Array[]> {
  const tracker = new GroupTracker(() => {});
  const pictures: Uint8Array[] = [];
  for (const frame of log.frames(TOPIC, 0)) {
    tracker.take(frame);
    pictures.push(await grey((await asImage(frame)).value));
  }
  await tracker.close();
  return pictures;
}

Deno.test("Steps to any offset, both ways, show exactly its picture", async () => {
  const log = await logOf(units);
  const expected = await expectedPictures(log);
  const history = new History({ log });
  const random = Random.fromEnvironment(3);
  const offsets = [0, 1, 2, 3, 2, 1, 59, 58, 57, 20, 19, 39, 40];
  for (let i = 0; i < 20; i++) offsets.push(random.whole(0, 59));
  for (const offset of offsets) {
    const picture = await history.at(lane, offset);
    assert.ok(picture !== undefined);
    assert.deepEqual(await grey(picture.bytes), expected[offset], `offset ${offset}`);
  }
  await history.close();
});

Deno.test("A unit whose keyframe has expired gives way to the next group", async () => {
  const log = await logOf(units);
  log.expire(TOPIC, 0, 5);
  const history = new History({ log });
  assert.equal((await history.at(lane, 10))?.offset, 20);
  assert.equal((await history.at(lane, 25))?.offset, 25);
  await history.close();
});

Deno.test("A seek looks for the keyframe once, and again when that may have expired", async () => {
  const log = await logOf(units);
  const history = new History({ log });
  assert.equal((await history.at(lane, 39, true))?.offset, 39);
  let frames = 0;
  const read = history.read.bind(history);
  history.read = async (...range) => {
    const found = await read(...range);
    frames += found.length;
    return found;
  };
  const needed = await history.unitsUpTo(lane, 39, -1);
  assert.deepEqual([needed[0]?.offset, needed.length], [20, 20]);
  assert.equal(frames, 1 + 20, "the frame itself, and its group");
  log.expire(TOPIC, 0, 21);
  assert.deepEqual(await history.unitsUpTo(lane, 39, -1), []);
  await history.close();
});

Deno.test("A raw lane of access units shows its newest picture", async () => {
  const log = await logOf(units.slice(0, 31));
  const expected = await expectedPictures(log);
  const feed = new LogFeed({ log, topics: [TOPIC] });
  await feed.start();
  const [raw] = feed.lanes();
  const picture = await feed.refresh(raw!.id);
  assert.equal(picture?.offset, 30);
  assert.deepEqual(await grey(picture.bytes), expected[30]);
  await feed.close();
});

Deno.test("Units that are damaged show nothing, and their neighbours stay right", async () => {
  const broken = units.map((unit, i) =>
    i === 22 ? unit.subarray(0, unit.length >> 1) : i === 30 ? Uint8Array.of(1) : unit
  );
  const expected = await expectedPictures(await logOf(units));
  const history = new History({ log: await logOf(broken) });
  const shown = async (offset: number) => {
    const picture = await history.at(lane, offset);
    return picture === undefined ? undefined : await grey(picture.bytes);
  };
  assert.equal(await shown(22), undefined);
  assert.equal(await shown(23), undefined);
  assert.deepEqual(await shown(21), expected[21]);
  assert.deepEqual(await shown(41), expected[41]);
  await history.close();
});
