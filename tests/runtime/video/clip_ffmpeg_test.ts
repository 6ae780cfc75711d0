import assert from "node:assert/strict";
// Loaded before the tests, which would take the library for a leak.
import "../../../runtime/video/h264_encoding.ts";
import { encodeJpeg } from "../../../runtime/image/jpeg.ts";
import { inspectImage } from "../../../runtime/image/inspect.ts";
import { GroupTracker } from "../../../runtime/video/groups.ts";
import { accessUnits } from "../../support/access_units.ts";
import { clipOf } from "../../support/clip.ts";
import { filmed } from "../sinks/filmed.ts";
import { probeBytes } from "./probe.ts";

const episode = Array.from({ length: 60 }, (_, index) => filmed(0, 100 + index));
const times = episode.map(({ timestamp }) => timestamp - episode[0]!.timestamp);

Deno.test("clip: every frame at its capture time, from frames as they come", async () => {
  async function* source() {
    for (const frame of episode) {
      await Promise.resolve();
      yield frame;
    }
  }
  const found = await probeBytes(await clipOf(source()));
  assert.equal(found.frames, 60);
  assert.deepEqual(found.times, times);
  assert.equal(found.keys, 2);
  assert.equal(found.codec, "h264");
});

Deno.test("clip: damaged frames are left out and said, and one without any is empty", async () => {
  const said: string[] = [];
  const damaged = { ...episode[1]!, value: new Uint8Array([0xff, 0xd8, 1, 2]) };
  const report = (line: string) => said.push(line);
  const found = await probeBytes(await clipOf([episode[0]!, damaged, episode[2]!], { report }));
  assert.equal(found.frames, 2);
  assert.match(said.join(), /^Not in the clip: offset 101: /);
  assert.equal((await clipOf([damaged])).length, 0);
});

Deno.test("clip: pictures of another size, or of one pixel, are left out and reported", async () => {
  const said: string[] = [];
  const picture = async (width: number, height: number) => {
    const data = new Uint8Array(width * height);
    return await encodeJpeg({ data, width, height, channels: 1 });
  };
  const frames = await Promise.all(
    [[64, 48], [32, 24], [1, 1], [64, 48]].map(async ([width, height], index) => ({
      ...episode[index]!,
      value: await picture(width!, height!),
    })),
  );
  const found = await probeBytes(await clipOf(frames, { report: (line) => said.push(line) }));
  assert.equal(found.frames, 2);
  assert.deepEqual(said, [
    "Not in the clip: offset 101 of 32x24 pixels, expected 64x48",
    "Not in the clip: offset 102: Cannot put a picture of 1x1 pixels into a video: expected 2x2 to 16384x16384",
  ]);
});

Deno.test("clip: an aborted one ends at once", async () => {
  const abort = new AbortController();
  abort.abort(new Error("enough"));
  await assert.rejects(() => clipOf(episode, { signal: abort.signal }), /enough/);
});

Deno.test("clip: where access units and images follow each other it ends, whole, and says so", async () => {
  const tracker = new GroupTracker(assert.fail);
  const headers = { "content-type": "video/h264" };
  const { width, height } = inspectImage(episode[0]!.value);
  const units = (await accessUnits({ frames: 20, gop: 20, width, height }))
    .map((value, index) => ({ ...episode[index]!, headers, value }));
  const images = episode.slice(20, 40);
  for (const unit of units) tracker.take(unit);
  for (const frames of [[...units, ...images], [...images, ...units]]) {
    const said: string[] = [];
    const found = await probeBytes(await clipOf(frames, { report: (line) => said.push(line) }));
    assert.equal(found.frames, 20);
    assert.match(said.join(), /^The clip ends at offset \d+: /);
  }
  await tracker.close();
});
