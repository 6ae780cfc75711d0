import assert from "node:assert/strict";
import { pictureOf } from "../../../runtime/image/picture.ts";
import { GroupTracker } from "../../../runtime/video/groups.ts";
import { accessUnits } from "../../support/access_units.ts";

// FFmpeg's fast conversion leaves the last columns out where a row has no room for eight pixels.
for (const width of [160, 158, 154, 150, 146]) {
  Deno.test(`RGB of a grey film of ${width} columns is its luma in each of them`, async () => {
    const [value] = await accessUnits({ frames: 1, width, height: 96 });
    const headers = { "content-type": "video/h264" };
    const frame = { topic: "t", partition: 0, offset: 0, timestamp: 0, key: null, headers };
    const tracker = new GroupTracker(() => {});
    tracker.take({ ...frame, value: value! });
    const picture = await pictureOf({ ...frame, value: value! });
    const grey = await picture.pixels(1), rgb = await picture.pixels(3);
    const off = rgb.data.findIndex((sample, i) =>
      Math.abs(sample - grey.data[Math.floor(i / 3)]!) > 2
    );
    assert.equal(off, -1, `column ${Math.floor(off / 3) % width}`);
    for (const one of [grey, rgb, picture]) one.release();
    await tracker.close();
  });
}
