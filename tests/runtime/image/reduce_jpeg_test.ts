import assert from "node:assert/strict";
import { decodeImage, decodeReduced, inspectImage } from "../../../runtime/image/mod.ts";
import { canReduce, type JpegSize, reduceJpeg } from "../../../runtime/image/reduce_jpeg.ts";
import { encoded, jpegOf, meanDifference } from "./fixtures.ts";

type Bytes = Uint8Array<ArrayBuffer>;
const odd: JpegSize = { width: 101, height: 67, components: 3 };

Deno.test("reduceJpeg gives what decoding at that size gives, in colour and in grey", async () => {
  assert.ok(canReduce);
  const sources = {
    3: jpegOf(odd.width, odd.height),
    1: await encoded(odd.width, odd.height, (image) => image.toColourspace("b-w").jpeg()),
  };
  for (const components of [1, 3] as const) {
    const bytes = sources[components] as Bytes;
    for (const denominator of [2, 4, 8] as const) {
      const small = reduceJpeg(bytes, { ...odd, components }, denominator, 95)!;
      const { width, height, components: kept } = inspectImage(small);
      assert.deepEqual(
        [width, height, kept],
        [Math.ceil(odd.width / denominator), Math.ceil(odd.height / denominator), components],
      );
      assert.equal(small.byteLength, small.buffer.byteLength, "on a buffer of its own size");
      const [wanted, given] = await Promise.all([
        decodeReduced(bytes, components, denominator),
        decodeImage(small, components),
      ]);
      const difference = meanDifference(given.data, wanted.data);
      assert.ok(difference < 9, `1/${denominator} of ${components}: ${difference} off`);
      wanted.release();
      given.release();
    }
  }
});

Deno.test("a lower quality makes a smaller JPEG", () => {
  const bytes = jpegOf(320, 240) as Bytes;
  const size = { width: 320, height: 240, components: 3 } as const;
  assert.ok(reduceJpeg(bytes, size, 2, 30)!.length < reduceJpeg(bytes, size, 2, 90)!.length);
});

Deno.test("a damaged JPEG is left to others", () => {
  const bytes = jpegOf(odd.width, odd.height) as Bytes;
  assert.equal(reduceJpeg(bytes.slice(0, bytes.length / 2), odd, 2, 72), undefined);
  assert.equal(reduceJpeg(new Uint8Array(300), odd, 2, 72), undefined);
  assert.notEqual(reduceJpeg(bytes, odd, 2, 72), undefined, "and does not spoil what follows");
});
