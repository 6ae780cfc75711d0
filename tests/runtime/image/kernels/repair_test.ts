import assert from "node:assert/strict";
import { decodeImage, inspectImage } from "../../../../runtime/image/mod.ts";
import { encoded, withSegment } from "../fixtures.ts";

const SIDE = 400;

/** A grey JPEG with a restart marker after each block, and a byte after its end. */
async function manySegments(): Promise<Uint8Array> {
  const grey = await encoded(
    8,
    8,
    (image) => image.toColourspace("b-w").jpeg({ optimiseCoding: false }),
  );
  const jpeg = withSegment(grey, 0xdd, Uint8Array.of(0, 1));
  const frame = jpeg.findIndex((byte, i) => byte === 0xff && jpeg[i + 1] === 0xc0);
  jpeg.set([SIDE >> 8, SIDE & 255, SIDE >> 8, SIDE & 255], frame + 5);
  const scan = jpeg.findIndex((byte, i) => byte === 0xff && jpeg[i + 1] === 0xda);
  const blocks = (SIDE / 8) ** 2;
  // Codes of a block like the one before it, then the bits that fill the byte.
  const codes = Array.from({ length: blocks }, (_, i) => [0x2b, 0xff, 0xd0 + i % 8]).flat();
  codes[codes.length - 1] = 0xd9;
  return Uint8Array.of(...jpeg.subarray(0, scan + 10), ...codes, 0);
}

Deno.test("the work on a JPEG of many segments grows with their number", async () => {
  const jpeg = await manySegments();
  let copies = 0, moved = 0;
  jpeg.slice = (from, to) => (copies++, Uint8Array.prototype.slice.call(jpeg, from, to));
  const { unshift } = Array.prototype;
  Array.prototype.unshift = function (this: unknown[], ...items) {
    moved += this.length;
    return unshift.apply(this, items);
  };
  try {
    assert.deepEqual(inspectImage(jpeg).flaws, ["trailer"]);
    assert.equal(copies, 0, "looking at a picture copies none of it");
    const picture = await decodeImage(jpeg, 1);
    assert.equal(new Set(picture.data).size, 1);
    picture.release();
    assert.equal(moved, 0, "no list is moved");
  } finally {
    Array.prototype.unshift = unshift;
  }
});
