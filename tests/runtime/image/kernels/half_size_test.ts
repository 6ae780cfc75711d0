import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import sharp from "sharp";
import { BadFrameError } from "../../../../runtime/definition/frame.ts";
import { decodeReduced, inspectImage } from "../../../../runtime/image/mod.ts";
import { decodeHalfSize } from "../../../../runtime/image/kernels/half_size.ts";
import { Kernels } from "../../../../runtime/image/kernels/kernels.ts";
import { encoded, jpegOf, maxDifference, noiseJpeg, withSegment } from "../fixtures.ts";

const SUBSAMPLED = { chromaSubsampling: "4:2:0" } as const;
const kernels = new Kernels();
const astronaut = Deno.readFileSync(new URL("../../../../clips/astronaut.jpg", import.meta.url));
const restarts = Deno.readFileSync(new URL("./restarts.jpg", import.meta.url));

/** The picture as pixels; undefined where the kernels leave it to libjpeg. */
function halfSize(jpeg: Uint8Array): Uint8Array | undefined {
  const planes = decodeHalfSize(kernels, jpeg);
  if (planes === undefined) return undefined;
  const { width, height, stride, luma, blue, red } = planes;
  const row = kernels.reserve(4 * width);
  const pixels = new Uint8Array(3 * width * height);
  for (let y = 0, at = 0; y < height; y++) {
    const from = y * stride;
    kernels.functions.colours(luma + from, blue + from, red + from, row, row + 4 * width);
    for (let x = 0; x < width; x++, at += 3) {
      pixels.set(kernels.bytes.subarray(row + 4 * x, row + 4 * x + 3), at);
    }
  }
  return pixels;
}

/** What libjpeg makes of it; undefined where it refuses. */
async function byLibrary(jpeg: Uint8Array): Promise<Uint8Array | undefined> {
  try {
    const image = await decodeReduced(jpeg, 3, 2, { ...inspectImage(jpeg) });
    const pixels = image.data.slice();
    image.release();
    return pixels;
  } catch (error) {
    assert.ok(error instanceof BadFrameError);
    return undefined;
  }
}

Deno.test("half size holds libjpeg's very values", async () => {
  const photo = sharp(astronaut).resize(333, 277);
  const pictures: Record<string, Uint8Array> = {
    restarts,
    "one unit": jpegOf(16, 16),
    "one pixel": jpegOf(1, 1),
    "odd size": jpegOf(101, 67),
    photo: await photo.clone().jpeg({ ...SUBSAMPLED, quality: 75 }).toBuffer(),
    optimised: await photo.clone().jpeg({ ...SUBSAMPLED, quality: 92, optimiseCoding: true })
      .toBuffer(),
  };
  for (const quality of [1, 10, 50, 90, 97, 100]) {
    for (const amount of [0.05, 1]) {
      pictures[`noise of ${amount}, quality ${quality}`] = noiseJpeg(70, 50, quality, amount);
    }
  }
  for (const [name, jpeg] of Object.entries(pictures)) {
    const pixels = halfSize(jpeg);
    assert.ok(pixels !== undefined, `${name} is refused`);
    const { width, height } = inspectImage(jpeg);
    assert.equal(pixels.length, 3 * Math.ceil(width / 2) * Math.ceil(height / 2));
    assert.equal(maxDifference(pixels, (await byLibrary(jpeg))!), 0, name);
  }
});

Deno.test("other kinds, and what is odd, are left to libjpeg", async () => {
  const jpeg = jpegOf(40, 30);
  const stray = Uint8Array.of(1, 2, 3, 4, 5);
  const adobeRgb = new TextEncoder().encode("Adobe\0d\0\0\0\0\0");
  const pictures: Record<string, Uint8Array> = {
    nothing: new Uint8Array(0),
    png: await encoded(40, 30, (i) => i.png()),
    progressive: await encoded(40, 30, (i) => i.jpeg({ progressive: true })),
    "4:4:4": await encoded(40, 30, (i) => i.jpeg({ chromaSubsampling: "4:4:4" })),
    grey: await encoded(40, 30, (i) => i.toColourspace("b-w").jpeg()),
    "RGB, as Adobe says": withSegment(jpeg, 0xee, adobeRgb),
    "codes behind the last": Uint8Array.of(...jpeg.subarray(0, -2), ...stray, 0xff, 0xd9),
    "half of it": jpeg.subarray(0, jpeg.length / 2),
    "its header": jpeg.subarray(0, 40),
    "a restart marker missing": restarts.filter((byte, i) =>
      !(byte === 0xff && restarts[i + 1] === 0xd3) && !(byte === 0xd3 && restarts[i - 1] === 0xff)
    ),
  };
  for (const [name, bytes] of Object.entries(pictures)) {
    assert.equal(decodeHalfSize(kernels, bytes), undefined, name);
  }
});

Deno.test("of a damaged JPEG the kernels make what libjpeg makes, or nothing", async () => {
  let state = 1;
  const random = (below: number) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor(state / 2 ** 32 * below);
  };
  let taken = 0, different = 0;
  for (let i = 0; i < 1500; i++) {
    const jpeg = (i % 3 === 0 ? restarts : jpegOf(48, 33, i % 8)).slice();
    for (let n = random(3); n >= 0; n--) jpeg[random(jpeg.length)] = random(256);
    const end = random(8) === 0 ? random(jpeg.length) : jpeg.length;
    const bytes = jpeg.slice(0, end);
    const pixels = halfSize(bytes);
    if (pixels === undefined) continue;
    taken++;
    const expected = await byLibrary(bytes);
    if (expected !== undefined && maxDifference(pixels, expected) > 0) different++;
  }
  assert.ok(taken > 300, `${taken} were taken`);
  // Coefficients that no picture has: where libjpeg's vectors wrap around, the kernels may saturate.
  assert.ok(different < taken / 100, `${different} of ${taken} differ`);
});

Deno.test("tables of many cameras take turns", async () => {
  // More tables than there is room for: each picture brings four of its own.
  const pictures = await Promise.all(
    [0, 40, 80, 120].map((top) =>
      sharp(astronaut).extract({ left: top, top, width: 160, height: 120 })
        .jpeg({ ...SUBSAMPLED, quality: 60 + top / 4, optimiseCoding: true }).toBuffer()
    ),
  );
  // As a reader does that uses its memory again.
  const memory = Buffer.alloc(Math.max(...pictures.map(({ length }) => length)));
  for (let round = 0; round < 3; round++) {
    for (const jpeg of pictures) {
      memory.set(jpeg);
      const pixels = halfSize(memory.subarray(0, jpeg.length));
      assert.equal(maxDifference(pixels!, (await byLibrary(jpeg))!), 0);
    }
  }
});
