import assert from "node:assert/strict";
import sharp from "sharp";
import { H264Encoding } from "../../../runtime/video/h264_encoding.ts";

const SIZE = 64;

function grey(level: number): Promise<Uint8Array> {
  const shade = { r: level, g: level, b: level };
  const create = { width: SIZE, height: SIZE, channels: 3 as const, background: shade };
  return sharp({ create }).png().toBuffer();
}

/** The access units of an image again and again, each prepared while the one before is encoded. */
async function encoded(image: Uint8Array, times: number): Promise<readonly Uint8Array[]> {
  using encoding = new H264Encoding();
  const units = [];
  let next = encoding.prepare(image);
  await encoding.begin(await next);
  for (let left = times; left > 0; left--) {
    const picture = await next;
    next = encoding.prepare(image);
    units.push((await encoding.encode(picture)).data.slice());
    picture.release();
  }
  (await next).release();
  return units;
}

Deno.test("lanes that encode PNG at the same time encode the pictures of their own frames", async () => {
  const images = await Promise.all([20, 80, 140, 200].map(grey));
  const alone = [];
  for (const image of images) alone.push(await encoded(image, 50));
  const together = await Promise.all(images.map((image) => encoded(image, 50)));
  assert.deepEqual(together, alone);
  assert.equal(new Set(alone.map(([keyframe]) => String(keyframe))).size, images.length);
});
