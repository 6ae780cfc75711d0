import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import fc from "fast-check";
import sharp from "sharp";
import { BadFrameError } from "../../../runtime/definition/frame.ts";
import {
  type Channels,
  decodeImage,
  decodeJpeg,
  encodeJpeg,
  inspectImage,
} from "../../../runtime/image/mod.ts";
import { BufferPool } from "../../../runtime/image/pool.ts";
import { encoded, jpegOf, meanDifference, picture } from "./fixtures.ts";

async function throughSharp(bytes: Uint8Array, channels: Channels): Promise<Uint8Array> {
  const image = sharp(bytes);
  const data = await (channels === 4 ? image.ensureAlpha() : image).raw().toBuffer();
  return channels === 1 ? lumaOf(data) : data;
}

function lumaOf(rgb: Uint8Array): Uint8Array {
  return Uint8Array.from(
    { length: rgb.length / 3 },
    (_, i) => Math.round(0.299 * rgb[3 * i]! + 0.587 * rgb[3 * i + 1]! + 0.114 * rgb[3 * i + 2]!),
  );
}

Deno.test("decodeJpeg agrees with another decoder", async () => {
  const jpeg = jpegOf(101, 67);
  for (const channels of [1, 3, 4] as const) {
    const image = await decodeJpeg(jpeg, channels);
    assert.deepEqual([image.width, image.height, image.channels], [101, 67, channels]);
    // Fast integer transforms: about one step apart.
    const difference = meanDifference(image.data, await throughSharp(jpeg, channels));
    assert.ok(difference < 1.2, `${channels} channels are ${difference} off`);
    image.release();
  }
});

Deno.test("encodeJpeg gives a JPEG of the same picture on a buffer of its own", async () => {
  for (const channels of [1, 3, 4] as const) {
    const image = picture(64, 48, channels);
    const jpeg = await encodeJpeg(image, { quality: 95 });
    assert.equal(jpeg.byteLength, jpeg.buffer.byteLength);
    assert.equal(inspectImage(jpeg).components, channels === 1 ? 1 : 3);
    const again = await decodeJpeg(jpeg, channels);
    assert.ok(meanDifference(again.data, image.data) < 6);
    again.release();
    assert.ok((await encodeJpeg(image, { quality: 10 })).length < jpeg.length);
  }
  await assert.rejects(encodeJpeg(picture(8, 8, 1), { quality: 0 }), RangeError);
});

Deno.test("decodeImage takes every accepted encoding", async () => {
  const encodings = {
    jpeg: await encoded(40, 30, (i) => i.jpeg({ quality: 95 })),
    progressive: await encoded(40, 30, (i) => i.jpeg({ progressive: true, quality: 95 })),
    png: await encoded(40, 30, (i) => i.png()),
    palette: await encoded(40, 30, (i) => i.png({ palette: true })),
    webp: await encoded(40, 30, (i) => i.webp({ quality: 95 })),
    cmyk: await encoded(40, 30, (i) => i.toColourspace("cmyk").jpeg({ quality: 95 })),
    grey: await encoded(40, 30, (i) => i.toColourspace("b-w").jpeg({ quality: 95 })),
    greyPng: await encoded(40, 30, (i) => i.toColourspace("b-w").png()),
    deepPng: await encoded(40, 30, (i) => i.toColourspace("rgb16").png()),
    transparent: await encoded(40, 30, (i) => i.ensureAlpha(1).png()),
  };
  for (const [name, bytes] of Object.entries(encodings)) {
    for (const channels of [1, 3, 4] as const) {
      const image = await decodeImage(bytes, channels);
      assert.deepEqual([image.width, image.height, image.channels], [40, 30, channels], name);
      const difference = meanDifference(image.data, await expected(bytes, name, channels));
      assert.ok(difference < 4, `${name} is ${difference} off in ${channels} channels`);
      image.release();
    }
  }
});

function expected(bytes: Uint8Array, name: string, channels: Channels) {
  // Grey and inks have lost what the original had.
  if (name.startsWith("grey") || name === "cmyk") return throughSharp(bytes, channels);
  const original = picture(40, 30, channels === 1 ? 3 : channels).data;
  return channels === 1 ? lumaOf(original) : original;
}

Deno.test("decodeImage lays transparent pixels on black", async () => {
  const data = new Uint8Array([200, 100, 50, 0, 200, 100, 50, 255]);
  const png = await sharp(data, { raw: { width: 2, height: 1, channels: 4 } }).png().toBuffer();
  const image = await decodeImage(png, 3);
  assert.deepEqual([...image.data], [0, 0, 0, 200, 100, 50]);
});

Deno.test("decodeImage turns damage into BadFrameError", async () => {
  const whole = {
    jpeg: jpegOf(64, 64),
    progressive: await encoded(64, 64, (i) => i.jpeg({ progressive: true })),
    png: await encoded(64, 64, (i) => i.png()),
    webp: await encoded(64, 64, (i) => i.webp()),
    cmyk: await encoded(64, 64, (i) => i.toColourspace("cmyk").jpeg()),
  };
  for (const [name, bytes] of Object.entries(whole)) {
    const half = bytes.subarray(0, inspectableHalf(bytes));
    await assert.rejects(
      decodeImage(half, 3),
      (error) => error instanceof BadFrameError && error.reason === "corrupt",
      name,
    );
  }
});

function inspectableHalf(bytes: Uint8Array): number {
  return Math.max(Math.ceil(bytes.length * 0.8), 40);
}

Deno.test("decodeImage throws nothing but BadFrameError, whatever it is given", async () => {
  const seeds = [
    jpegOf(32, 32),
    await encoded(32, 32, (i) => i.jpeg({ progressive: true })),
    await encoded(32, 32, (i) => i.png()),
    await encoded(32, 32, (i) => i.webp()),
  ];
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...seeds),
      fc.array(fc.tuple(fc.nat(9_999), fc.nat(255)), {
        minLength: 1,
        maxLength: 12,
      }),
      fc.constantFrom<Channels>(1, 3, 4),
      async (seed, changes, channels) => {
        const copy = seed.slice();
        for (const [at, value] of changes) copy[Math.floor(at * copy.length / 10_000)] = value;
        try {
          (await decodeImage(copy, channels)).release();
        } catch (error) {
          assert.ok(error instanceof BadFrameError, `threw ${error}`);
        }
      },
    ),
    { numRuns: 600 },
  );
});

Deno.test("decodeImage takes padding between markers, as viewers do", async () => {
  const jpeg = jpegOf(32, 32);
  const padded = new Uint8Array([
    ...jpeg.subarray(0, -2),
    ...new Uint8Array(7).fill(0x11),
    ...jpeg.subarray(-2),
  ]);
  const image = await decodeImage(padded, 3);
  const clean = await decodeImage(jpeg, 3);
  assert.ok(meanDifference(image.data, clean.data) < 1.2);
  image.release();
  clean.release();
});

Deno.test("decodes of many pictures at once do not share memory", async () => {
  const jpegs = Array.from({ length: 24 }, (_, i) => jpegOf(160, 120, i * 10));
  const images = await Promise.all(jpegs.map((jpeg) => decodeJpeg(jpeg, 1)));
  for (const [i, image] of images.entries()) {
    const alone = await decodeJpeg(jpegs[i]!, 1);
    assert.deepEqual(Buffer.compare(alone.data, image.data), 0, `picture ${i}`);
    alone.release();
  }
  images.forEach((image) => image.release());
});

Deno.test("BufferPool reuses, keeps classes apart and is bounded", () => {
  const pool = new BufferPool({ maxIdleBytes: 1_000_000 });
  const first = pool.acquire(300_000);
  assert.ok(first.length >= 300_000 && first.length < 340_000);
  pool.release(first);
  assert.equal(pool.idleBytes, first.length);
  assert.notEqual(pool.acquire(600_000), first);
  assert.equal(pool.acquire(299_000), first);
  assert.equal(pool.idleBytes, 0);
  const many = Array.from({ length: 10 }, () => pool.acquire(300_000));
  many.forEach((buffer) => pool.release(buffer));
  assert.ok(pool.idleBytes <= 1_000_000);
});

Deno.test("a picture released twice is lent once", async () => {
  const jpeg = jpegOf(400, 300);
  const image = await decodeJpeg(jpeg, 1);
  image.release();
  image.release();
  const a = await decodeJpeg(jpeg, 1);
  const b = await decodeJpeg(jpeg, 1);
  assert.notEqual(a.data.byteOffset === b.data.byteOffset && a.data.buffer === b.data.buffer, true);
  a.release();
  b.release();
});
