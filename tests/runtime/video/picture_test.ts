import assert from "node:assert/strict";
import sharp from "sharp";
import { PictureDecoder } from "../../../runtime/video/picture.ts";

const SIZE = 64;

function grey(level: number): Promise<Uint8Array> {
  const shade = { r: level, g: level, b: level };
  const create = { width: SIZE, height: SIZE, channels: 3 as const, background: shade };
  return sharp({ create }).png().toBuffer();
}

Deno.test("lanes that decode PNG at the same time get the pictures of their own frames", async () => {
  const levels = [20, 80, 140, 200];
  const seen = await Promise.all(levels.map(async (level) => {
    const image = await grey(level);
    using decoder = await PictureDecoder.open();
    const found = new Set<number>();
    for (let times = 0; times < 50; times++) {
      const picture = await decoder.decode(image);
      found.add(picture.frame.data![0]![SIZE * SIZE / 2]!);
      picture.release();
    }
    return [...found];
  }));
  assert.deepEqual(seen, levels.map((level) => [level]));
});
