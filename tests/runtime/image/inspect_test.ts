import assert from "node:assert/strict";
import fc from "fast-check";
import { BadFrameError } from "../../../runtime/definition/frame.ts";
import { inspectImage } from "../../../runtime/image/mod.ts";
import { encoded, jpegOf } from "./fixtures.ts";

function reasonOf(bytes: Uint8Array): string | undefined {
  try {
    inspectImage(bytes);
    return undefined;
  } catch (error) {
    assert.ok(error instanceof BadFrameError, `threw ${error}`);
    return error.reason;
  }
}

const jpeg = jpegOf(70, 50);

Deno.test("inspectImage reads the size of each encoding", async () => {
  const size = { width: 70, height: 50 };
  assert.deepEqual(inspectImage(jpeg), {
    type: "jpeg",
    contentType: "image/jpeg",
    ...size,
    components: 3,
    progressive: false,
  });
  const progressive = inspectImage(await encoded(70, 50, (i) => i.jpeg({ progressive: true })));
  assert.equal(progressive.progressive, true);
  const cmyk = inspectImage(await encoded(70, 50, (i) => i.toColourspace("cmyk").jpeg()));
  assert.equal(cmyk.components, 4);
  const grey = inspectImage(await encoded(70, 50, (i) => i.toColourspace("b-w").jpeg()));
  assert.equal(grey.components, 1);
  for (const palette of [false, true]) {
    assert.deepEqual(inspectImage(await encoded(70, 50, (i) => i.png({ palette }))), {
      type: "png",
      contentType: "image/png",
      ...size,
      components: 3,
    });
  }
  const webps = [
    await encoded(70, 50, (i) => i.webp()),
    await encoded(70, 50, (i) => i.webp({ lossless: true })),
    await encoded(70, 50, (i) => i.withMetadata().webp()),
  ];
  for (const [index, kind] of ["VP8 ", "VP8L", "VP8X"].entries()) {
    assert.equal(new TextDecoder().decode(webps[index]!.subarray(12, 16)), kind);
    const expected = { type: "webp", contentType: "image/webp", ...size };
    assert.deepEqual(inspectImage(webps[index]!), expected);
  }
});

Deno.test("inspectImage reads the EXIF orientation", async () => {
  for (let orientation = 1; orientation <= 8; orientation++) {
    const turned = await encoded(70, 50, (i) => i.jpeg().withMetadata({ orientation }));
    assert.equal(inspectImage(turned).orientation, orientation);
  }
});

Deno.test("inspectImage says why it refuses", () => {
  assert.equal(reasonOf(new Uint8Array()), "empty");
  assert.equal(reasonOf(new TextEncoder().encode("GIF89a, or any text")), "unsupported-type");
  assert.equal(reasonOf(jpeg.subarray(0, 100)), "corrupt");
  assert.equal(reasonOf(new Uint8Array(64 * 1024 * 1024 + 1)), "too-large");
  const at = jpeg.findIndex((byte, i) => byte === 0xff && jpeg[i + 1] === 0xc0);
  const changed = (offset: number, ...bytes: number[]) => {
    const copy = jpeg.slice();
    copy.set(bytes, at + offset);
    return copy;
  };
  assert.equal(reasonOf(changed(5, 0, 0)), "corrupt", "no height");
  assert.equal(reasonOf(changed(5, 255, 255, 255, 255)), "too-large");
  assert.equal(reasonOf(changed(4, 12)), "unsupported-type", "12 bits a sample");
  assert.equal(reasonOf(changed(1, 0xc3)), "unsupported-type", "lossless");
  assert.throws(() => inspectImage(new Uint8Array([0x42, 0x4d, 1, 2, 3])), /begins with 42 4d 01/);
});

Deno.test("inspectImage refuses a picture without a side, and one that takes too much memory to decode", async () => {
  const png = await encoded(16, 16, (i) => i.png());
  const withSides = (bytes: Uint8Array, at: number, ...numbers: number[]) => {
    const copy = bytes.slice();
    copy.set(numbers, at);
    return copy;
  };
  for (const sides of [[0, 0, 0, 0, 0, 0, 0, 9], [0, 0, 0, 9, 0, 0, 0, 0]]) {
    assert.equal(reasonOf(withSides(png, 16, ...sides)), "corrupt", String(sides));
  }
  // The sides of a VP8X, less one, in 24 bits each. WebP is unpacked to 16 bytes for each pixel.
  const webp = await encoded(70, 50, (i) => i.withMetadata().webp());
  assert.equal(reasonOf(withSides(webp, 24, 0x87, 0x13, 0, 0x87, 0x13, 0)), undefined);
  assert.equal(reasonOf(withSides(webp, 24, 0x6f, 0x17, 0, 0x6f, 0x17, 0)), "too-large");
  assert.throws(
    () => inspectImage(withSides(webp, 24, 0x6f, 0x17, 0, 0x6f, 0x17, 0)),
    /webp image of 6000x6000 pixels: decoding it takes more than 536870912 bytes of memory/,
  );
  const other = withSides(jpeg, 2, 0xff, 0xcc, 0, 3, 0);
  assert.throws(() => inspectImage(other), /Cannot accept a JPEG of arithmetic coding/);
});

Deno.test("inspectImage refuses a PNG of millions of rows or columns, however few its pixels", async () => {
  const png = await encoded(16, 16, (i) => i.png());
  const sized = (width: number, height: number) => {
    const copy = png.slice();
    const view = new DataView(copy.buffer);
    view.setUint32(16, width);
    view.setUint32(20, height);
    return copy;
  };
  assert.equal(reasonOf(sized(1, 60_000_000)), "too-large");
  assert.equal(reasonOf(sized(8_000, 8_000)), undefined);
  assert.equal(reasonOf(sized(8_000, 8_001)), "too-large");
  assert.equal(reasonOf(sized(65_501, 1)), "too-large");
  assert.equal(reasonOf(sized(1, 65_500)), undefined);
});

Deno.test("inspectImage refuses a JPEG of endless segments, and takes a colour profile of 255", () => {
  const after = (segment: readonly number[], count: number) =>
    new Uint8Array([0xff, 0xd8, ...new Array(count).fill(segment).flat(), ...jpeg.subarray(2)]);
  const profile = [0xff, 0xe2, 0, 3, 7];
  assert.equal(inspectImage(after(profile, 255)).width, 70);
  for (const segment of [profile, [0xff, 0x01, 0], [0xff, 0xfe, 0, 2]]) {
    assert.equal(reasonOf(after(segment, 100_000)), "too-large");
  }
});

Deno.test("inspectImage refuses a progressive JPEG of endless scans", async () => {
  const progressive = await encoded(16, 16, (i) => i.jpeg({ progressive: true }));
  const scans = new Uint8Array(200 * 10).fill(0);
  for (let i = 0; i < scans.length; i += 10) scans.set([0xff, 0xda, 0, 8], i);
  const hostile = new Uint8Array([...progressive.subarray(0, -2), ...scans, 0xff, 0xd9]);
  assert.equal(reasonOf(progressive), undefined);
  assert.equal(reasonOf(hostile), "too-large");
});

Deno.test("inspectImage throws nothing but BadFrameError, whatever it is given", async () => {
  const seeds = [
    jpeg,
    await encoded(40, 30, (i) => i.jpeg({ progressive: true }).withMetadata({ orientation: 6 })),
    await encoded(40, 30, (i) => i.png()),
    await encoded(40, 30, (i) => i.webp()),
    await encoded(40, 30, (i) => i.webp({ lossless: true })),
    await encoded(40, 30, (i) => i.withMetadata().webp()),
  ];
  const damaged = fc.tuple(
    fc.constantFrom(...seeds),
    fc.array(fc.tuple(fc.nat(400), fc.nat(255)), { maxLength: 8 }),
    fc.option(fc.nat(400)),
  ).map(([seed, changes, end]) => {
    const copy = seed.slice(0, end ?? seed.length);
    for (const [at, value] of changes) if (at < copy.length) copy[at] = value;
    return copy;
  });
  const tail = fc.uint8Array({ maxLength: 200 });
  const start = fc.constantFrom([0xff, 0xd8, 0xff], [...seeds[2]!.subarray(0, 12)], [
    ...seeds[3]!.subarray(0, 12),
  ]);
  const begun = fc.tuple(start, tail).map(([head, rest]) => new Uint8Array([...head, ...rest]));
  fc.assert(
    fc.property(fc.oneof(damaged, begun, tail), (bytes) => {
      if (reasonOf(bytes) === undefined) {
        const { width, height } = inspectImage(bytes);
        assert.ok(Number.isInteger(width) && width > 0, `width ${width}`);
        assert.ok(Number.isInteger(height) && height > 0, `height ${height}`);
      }
    }),
    { numRuns: 20_000 },
  );
});
