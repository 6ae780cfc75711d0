import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import process from "node:process";
import { crc32, deflateSync } from "node:zlib";
import jpegTurbo from "@julusian/jpeg-turbo";
import sharp from "sharp";
import { BadFrameError } from "../../../runtime/definition/frame.ts";
import {
  decodeImage,
  decodeReduced,
  extractLuma,
  inspectImage,
  Tensorizer,
  type TensorSpec,
} from "../../../runtime/image/mod.ts";
import { withoutTexts } from "../../../runtime/image/png.ts";
import { type Flaw, FLAWS, repairsOf } from "../../../runtime/image/flaws.ts";
import { bomb, encoded, jpegOf, picture, withSegment } from "./fixtures.ts";

const restarts = Deno.readFileSync(new URL("./kernels/restarts.jpg", import.meta.url));
const SPEC: TensorSpec = {
  width: 30,
  height: 24,
  color: "RGB",
  resize: "fill",
  dtype: "float32",
  order: "CHW",
  scale: 1,
  mean: [0, 0, 0],
  std: [1, 1, 1],
};

const insert = (bytes: Uint8Array, at: number, ...more: number[]) =>
  Uint8Array.of(...bytes.subarray(0, at), ...more, ...bytes.subarray(at));

/** Bytes before each restart marker, which known webcams send. */
function beforeRestarts(jpeg: Uint8Array, ...more: number[]): Uint8Array {
  let out = jpeg;
  for (let at = out.length - 2; at > 300; at--) {
    if (out[at] === 0xff && (out[at + 1]! & 0xf8) === 0xd0) out = insert(out, at, ...more);
  }
  return out;
}

/** All roads to pixels; each gives its samples or the reason why not. */
const ROADS: Record<string, (bytes: Uint8Array) => Promise<ArrayLike<number> | undefined>> = {
  grey: (bytes) => pixels(decodeImage(bytes, 1)),
  colour: (bytes) => pixels(decodeImage(bytes, 3)),
  "half size": (bytes) => pixels(decodeReduced(bytes, 3, 2)),
  tensor: async (bytes) => {
    const tensor = await new Tensorizer(SPEC).tensor(bytes);
    return tensor.data.slice();
  },
  luma: async (bytes) => await extractLuma(bytes),
};

async function pixels(image: ReturnType<typeof decodeImage>): Promise<Uint8Array> {
  const { data, release } = await image.then((one) => ({
    data: one.data.slice(),
    release: () => one.release(),
  }));
  release();
  return data;
}

async function reasonOf(work: () => unknown): Promise<string> {
  try {
    await work();
    return "taken";
  } catch (error) {
    assert.ok(error instanceof BadFrameError, `threw ${error}`);
    return error.reason;
  }
}

const jpeg = jpegOf(70, 50);
const scan = (bytes: Uint8Array) => Buffer.from(bytes).indexOf(Uint8Array.of(0xff, 0xda));

Deno.test("what is repaired gives the samples of the whole picture on every road", async () => {
  const photo = sharp(Deno.readFileSync(new URL("../../../clips/astronaut.jpg", import.meta.url)))
    .resize(90, 60);
  const plain = await photo.clone().jpeg({ chromaSubsampling: "4:4:4" }).toBuffer();
  const wide = new Uint8Array(jpegTurbo.compressSync(Buffer.from(picture(90, 60, 3).data), {
    format: jpegTurbo.FORMAT_RGB,
    width: 90,
    height: 60,
    subsampling: jpegTurbo.SAMP_422,
    quality: 80,
  }));
  const progressive = await photo.clone().jpeg({ progressive: true }).toBuffer();
  const grey = await encoded(70, 50, (image) => image.toColourspace("b-w").jpeg());
  const good = { jpeg, restarts, plain, wide, progressive, grey };
  const flaws: [Flaw, string, (bytes: Uint8Array) => Uint8Array][] = [
    ["trailer", "zeros behind", (bytes) => Uint8Array.of(...bytes, ...new Array(200).fill(0))],
    ["trailer", "a second picture", (bytes) => Uint8Array.of(...bytes, ...jpegOf(16, 16))],
    ["end-missing", "no end", (bytes) => bytes.subarray(0, -2)],
    ["end-missing", "half an end", (bytes) => bytes.subarray(0, -1)],
    ["stray-before-segment", "garbage", (bytes) => insert(bytes, scan(bytes), 1, 2, 0xff, 0, 9)],
    [
      "fill-before-marker",
      "zeros before the end",
      (bytes) => insert(bytes, bytes.length - 2, ...new Array(300).fill(0)),
    ],
    ["fill-before-marker", "one byte", (bytes) => insert(bytes, bytes.length - 2, 0x33)],
    [
      "fill-before-marker",
      "stuffed bytes",
      (bytes) => insert(bytes, bytes.length - 2, 0xff, 0, 0xff, 0),
    ],
    ["fill-before-marker", "before restarts", (bytes) => beforeRestarts(bytes, 0, 0)],
  ];
  for (const [kind, whole] of Object.entries(good)) {
    for (const [flaw, name, damage] of flaws) {
      // Where codes end is known of sequential JPEGs of one scan alone.
      if (kind === "progressive" && flaw === "fill-before-marker") continue;
      if (name === "before restarts" && kind !== "restarts") continue;
      const bytes = new Uint8Array(damage(whole));
      for (const [road, take] of Object.entries(ROADS)) {
        const expected = await take(whole), found = await take(bytes);
        assert.deepEqual(found, expected, `${kind}, ${name}, ${road}`);
        // What stands behind a picture is not looked at by each road, and libjpeg reads over some.
        if (flaw === "trailer" || /byte/.test(name) || found === undefined) continue;
        assert.ok(repairsOf(bytes)?.has(flaw), `${kind}, ${name}, ${road}: uncounted`);
      }
    }
  }
});

Deno.test("what is not repaired is refused with one reason on every road", async () => {
  const at = jpeg.findIndex((byte, i) => byte === 0xff && jpeg[i + 1] === 0xc0);
  const changed = (offset: number, ...values: number[]) => {
    const copy = jpeg.slice();
    copy.set(values, at + offset);
    return copy;
  };
  const tables = Buffer.from(jpeg).indexOf(Uint8Array.of(0xff, 0xc4));
  const refused: [Flaw, string, Uint8Array][] = [
    ["stray-before-start", "a line break in front", Uint8Array.of(13, 10, ...jpeg)],
    ["segment", "two start markers", Uint8Array.of(0xff, 0xd8, ...jpeg)],
    ["segment", "a short restart interval", withSegment(jpeg, 0xdd, new Uint8Array(0))],
    ["segment", "a table that is cut", jpeg.with(tables + 3, jpeg[tables + 3]! - 1)],
    ["height-missing", "no height", changed(5, 0, 0)],
    ["coding", "12 bits", changed(4, 12)],
    ["coding", "arithmetic", changed(1, 0xc9)],
    ["cut", "half a picture", jpeg.subarray(0, jpeg.length * 0.7)],
    ["cut", "a header", jpeg.subarray(0, 100)],
    ["codes", "codes behind the last", insert(jpeg, jpeg.length - 2, ...Array(40).keys())],
    [
      "codes",
      "restarts out of order",
      restarts.map((byte, i) => byte === 0xd3 && restarts[i - 1] === 0xff ? 0xd5 : byte),
    ],
    ["work", "many baseline scans", bomb(2000, 2000, 500)],
    ["work", "passes over many pixels", bomb(8000, 7000, 9, 0xc2)],
  ];
  for (const [flaw, name, bytes] of refused) {
    for (const [road, take] of Object.entries(ROADS)) {
      if (road === "luma" && flaw === "codes") continue; // It leaves words to the decoder.
      assert.equal(await reasonOf(() => take(bytes)), FLAWS[flaw], `${name}, ${road}`);
    }
  }
});

Deno.test("JPEGs of two components are refused, whatever their subsampling", async () => {
  const grey = await encoded(32, 32, (image) => image.toColourspace("b-w").jpeg());
  const at = Buffer.from(grey).indexOf(Uint8Array.of(0xff, 0xc0));
  const two = insert(grey, at + 13, 2, 0x11, 0);
  two[at + 3] = 14;
  two[at + 9] = 2;
  assert.throws(() => inspectImage(two), /2 components/);
});

Deno.test("covered lenses and night scenes are taken", async () => {
  const flat = (width: number, height: number) =>
    sharp({ create: { width, height, channels: 3, background: { r: 3, g: 2, b: 2 } } });
  const pictures = {
    jpeg: await flat(4000, 3000).jpeg({ quality: 75 }).toBuffer(),
    progressive: await flat(2560, 1440).jpeg({ progressive: true }).toBuffer(),
    webp: await flat(2560, 1440).webp().toBuffer(),
    png: await flat(3840, 2160).png().toBuffer(),
  };
  for (const [name, bytes] of Object.entries(pictures)) {
    assert.ok(inspectImage(bytes).width * inspectImage(bytes).height > 32 * bytes.length, name);
    const image = await decodeReduced(bytes, 1, 8);
    assert.ok(image.data[0]! < 8);
    image.release();
  }
});

/** The PNG with more chunks before its picture. */
function withChunks(png: Uint8Array, type: string, ...contents: Uint8Array[]): Uint8Array {
  const chunks = contents.map((content) => {
    const chunk = Buffer.alloc(12 + content.length);
    chunk.writeUInt32BE(content.length);
    chunk.write(type, 4, "latin1");
    chunk.set(content, 8);
    chunk.writeUInt32BE(crc32(chunk.subarray(4, -4)), 8 + content.length);
    return chunk;
  });
  return new Uint8Array(Buffer.concat([png.subarray(0, 33), ...chunks, png.subarray(33)]));
}

Deno.test("compressed texts of a PNG are not inflated", async () => {
  const png = await encoded(40, 30, (i) => i.png());
  const deflated = deflateSync(new Uint8Array(19_000_000).fill(65));
  for (const [type, head] of [["zTXt", [65, 0, 0]], ["iTXt", [65, 0, 1, 0, 0, 0]]] as const) {
    const text = Uint8Array.of(...head, ...deflated);
    const bomb = withChunks(png, type, ...new Array<Uint8Array>(100).fill(text));
    const before = process.cpuUsage();
    assert.deepEqual(await pixels(decodeImage(bomb, 3)), await pixels(decodeImage(png, 3)));
    const { user, system } = process.cpuUsage(before);
    assert.ok(user + system < 500_000, `${type} took ${(user + system) / 1000} ms of a core`);
    assert.deepEqual(withoutTexts(bomb), png);
    assert.deepEqual(withoutTexts(withChunks(bomb, "tEXt", text)), withChunks(png, "tEXt", text));
  }
  for (const whole of [png, withChunks(png, "tEXt", deflated), jpegOf(8, 8), new Uint8Array()]) {
    assert.equal(withoutTexts(whole), whole);
  }
  // What ends inside a text is left to the decoder.
  const cut = withChunks(png, "zTXt", deflated).subarray(0, 60);
  await assert.rejects(decodeImage(cut, 3), { reason: "corrupt" });
});

Deno.test("pixels come as stored, whatever colour profile an image carries", async () => {
  const data = picture(40, 30, 3).data;
  const raw = () => sharp(data, { raw: { width: 40, height: 30, channels: 3 } });
  for (const profile of ["p3", "cmyk"] as const) {
    if (profile === "cmyk") continue;
    const png = await raw().png().toBuffer();
    const tagged = await sharp(png).keepIccProfile().withIccProfile(profile, { attach: true })
      .png().toBuffer();
    const stored = await sharp(tagged, { ignoreIcc: true }).raw().toBuffer();
    assert.deepEqual(await pixels(decodeImage(tagged, 3)), new Uint8Array(stored));
  }
});
