import assert from "node:assert/strict";
import type { Frame } from "../../../runtime/definition/frame.ts";
import { LanePictures, type Picture } from "../../../runtime/executor/pictures.ts";
import { inspectImage } from "../../../runtime/image/inspect.ts";
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

Deno.test("Pictures of access units are sent as JPEGs, the newest one last", async () => {
  const { tracker, frames } = await filmed();
  const sent: Picture[] = [];
  const publisher = new LanePictures(LANE, (picture) => sent.push(picture), true);
  for (const frame of frames) publisher.show(frame);
  await until("the newest picture", () => sent.at(-1)?.offset === 11);
  publisher.close();
  assert.deepEqual(
    sent.map(({ offset }) => offset),
    sent.map(({ offset }) => offset).toSorted((a, b) => a - b),
  );
  for (const { bytes, contentType, headers } of sent) {
    assert.equal(contentType, "image/jpeg");
    assert.equal(inspectImage(bytes).width, 160);
    assert.equal(headers["keyframe"], undefined);
  }
  await tracker.close();
});

Deno.test("While nobody looks only keyframes are decoded", async () => {
  const { tracker, frames } = await filmed();
  const sent: Picture[] = [];
  const publisher = new LanePictures(LANE, (picture) => sent.push(picture), false);
  for (const frame of frames.slice(0, 6)) publisher.show(frame);
  await until("a picture", () => sent.length > 0);
  publisher.close();
  assert.deepEqual(sent.map(({ offset }) => offset), [0]);
  await tracker.close();
});
