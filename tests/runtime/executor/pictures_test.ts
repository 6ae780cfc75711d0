import assert from "node:assert/strict";
import type { Frame, Output } from "../../../runtime/definition/frame.ts";
import { LanePictures, type Picture } from "../../../runtime/executor/pictures.ts";
import { inspectImage } from "../../../runtime/image/inspect.ts";
import { pictureOf } from "../../../runtime/image/picture.ts";
// Loads FFmpeg before the tests begin, each of which must leave as much as it found.
import "../../../runtime/video/h264_encoding.ts";
import { GroupTracker } from "../../../runtime/video/groups.ts";
import { accessUnits } from "../../support/access_units.ts";
import { until } from "../../support/until.ts";

async function filmed() {
  const tracker = new GroupTracker(() => {});
  const frames = (await accessUnits({ frames: 12, gop: 6 })).map((value, offset): Frame => ({
    topic: "VideoStreaming",
    partition: 0,
    offset,
    timestamp: offset * 40,
    key: null,
    headers: { "content-type": "video/h264", "keyframe": offset % 6 === 0 ? "1" : "" },
    value,
  }));
  for (const frame of frames) tracker.take(frame);
  return { tracker, frames };
}

const LANE = { query: "q", partition: 0, run: 1 };
const WATCHED = new Map([["q-0", "pictures" as const]]);

Deno.test("Pictures of access units are sent as JPEGs, the newest one last", async () => {
  const { tracker, frames } = await filmed();
  const sent: Picture[] = [];
  const publisher = new LanePictures(LANE, (picture) => sent.push(picture), WATCHED);
  for (const frame of frames) publisher.show(frame);
  await until("the newest picture", () => sent.at(-1)?.offset === 11);
  publisher.close();
  assert.deepEqual(
    sent.map(({ offset }) => offset),
    sent.map(({ offset }) => offset).toSorted((a, b) => a - b),
  );
  for (const { bytes, headers } of sent) {
    assert.equal(inspectImage(bytes).width, 160);
    assert.equal(headers["keyframe"], undefined);
  }
  await tracker.close();
});

Deno.test("Without viewers only keyframes are decoded, and none later than its lane does", async () => {
  const { tracker, frames } = await filmed();
  const sent: Picture[] = [];
  const publisher = new LanePictures(LANE, (picture) => sent.push(picture), new Map());
  for (const frame of frames) publisher.show(frame);
  await until("a picture", () => sent.length > 0);
  // The decoder has nothing else to do: a keyframe that waited would come first.
  (await pictureOf(frames[11]!)).release();
  publisher.close();
  assert.deepEqual(sent.map(({ offset }) => offset), [0]);
  await tracker.close();
});

Deno.test("Who comes after a camera's last frame sees it", async () => {
  const { tracker, frames } = await filmed();
  const sent: Picture[] = [];
  const publisher = new LanePictures(LANE, (picture) => sent.push(picture), new Map());
  for (const frame of frames) publisher.show(frame);
  await until("a picture", () => sent.length > 0);
  publisher.watch(WATCHED);
  await until("the last picture", () => sent.at(-1)?.offset === 11);
  publisher.watch(new Map());
  publisher.watch(WATCHED);
  (await pictureOf(frames[11]!)).release();
  publisher.close();
  assert.deepEqual(sent.map(({ offset }) => offset), [0, 11]);
  await tracker.close();
});

Deno.test("Where no viewer can come nothing is decoded, until one can", async () => {
  const { tracker, frames } = await filmed();
  const sent: Picture[] = [];
  const publisher = new LanePictures(LANE, (picture) => sent.push(picture), undefined);
  for (const frame of frames.slice(0, 6)) publisher.show(frame);
  (await pictureOf(frames[5]!)).release();
  assert.deepEqual(sent, []);
  publisher.watch(new Map());
  for (const frame of frames.slice(6)) publisher.show(frame);
  await until("a picture", () => sent.length > 0);
  publisher.close();
  assert.deepEqual(sent.map(({ offset }) => offset), [6]);
  await tracker.close();
});

Deno.test("A page that decodes units itself sees by the keyframes that the camera still sends", async () => {
  const { tracker, frames } = await filmed();
  const sent: Picture[] = [];
  const results = new Map([["q-0", "results" as const]]);
  const publisher = new LanePictures(LANE, (picture) => sent.push(picture), results);
  for (const frame of frames) publisher.show(frame);
  await until("a picture", () => sent.some(({ bytes }) => bytes.length > 0));
  publisher.close();
  const shown = sent.map(({ offset, bytes }) => ({ offset, picture: bytes.length > 0 }));
  assert.deepEqual(shown.toSorted((a, b) => a.offset - b.offset), [
    { offset: 0, picture: true },
    { offset: 6, picture: false },
  ]);
  await tracker.close();
});

Deno.test("A page that decodes units itself gets what was found in each, and keyframes' pictures", async () => {
  const { tracker, frames } = await filmed();
  const sent: Picture[] = [];
  const results = new Map([["q-0", "results" as const]]);
  const publisher = new LanePictures(LANE, (picture) => sent.push(picture), results);
  for (const frame of frames.slice(0, 6)) {
    publisher.show({ ...frame, result: { scores: { motion: frame.offset } } });
  }
  await until("a picture", () => sent.some(({ bytes }) => bytes.length > 0));
  publisher.close();
  const found = sent.filter(({ bytes }) => bytes.length === 0);
  assert.deepEqual(
    found.map(({ result }) => result?.scores),
    [1, 2, 3, 4, 5].map((motion) => ({ motion })),
  );
  const [picture] = sent.filter(({ bytes }) => bytes.length > 0);
  assert.deepEqual([picture?.offset, picture?.video], [0, "h264"]);
  await tracker.close();
});

Deno.test("An alert that waits for its picture is shown to a viewer who comes", async () => {
  const { tracker, frames } = await filmed();
  const sent: Picture[] = [];
  const publisher = new LanePictures(LANE, (picture) => sent.push(picture), new Map());
  publisher.show(frames[0]!);
  publisher.show({
    ...frames[1]!,
    result: { alert: { id: "1", label: "fire", state: "start", peak: 1 } },
  });
  publisher.show(frames[2]!);
  publisher.watch(WATCHED);
  await until("the alert's picture", () => sent.length === 2);
  publisher.close();
  assert.deepEqual(sent.map(({ offset }) => offset), [0, 1]);
  await tracker.close();
});

Deno.test("Findings without pictures do not keep a lane without viewers from its keyframes", async () => {
  const { tracker, frames } = await filmed();
  const sent: Picture[] = [];
  const publisher = new LanePictures(LANE, (picture) => sent.push(picture), new Map());
  const { topic, partition, timestamp } = frames[0]!;
  publisher.show(
    { topic, partition, timestamp, firstOffset: 0, lastOffset: 0, result: {} } as Output,
  );
  publisher.show(frames[0]!);
  await until("a picture", () => sent.some(({ bytes }) => bytes.length > 0));
  publisher.close();
  await tracker.close();
});
