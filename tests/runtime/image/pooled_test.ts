import assert from "node:assert/strict";
import fc from "fast-check";
import { BadFrameError } from "../../../runtime/definition/frame.ts";
import {
  decodeImage,
  decodeReduced,
  encodeJpeg,
  extractLuma,
  Tensorizer,
} from "../../../runtime/image/mod.ts";
import { canReduce, reduceJpeg } from "../../../runtime/image/reduce_jpeg.ts";
import { PooledImage } from "../../../runtime/image/raw.ts";
import { decompress, keepLuma } from "../../../runtime/image/turbojpeg.ts";
import { encoded, jpegOf, picture } from "./fixtures.ts";

type Samples = ArrayLike<number> | undefined;
type Decode = (bytes: Uint8Array<ArrayBuffer>) => Promise<Samples> | Samples;

const tensorizer = new Tensorizer({
  width: 28,
  height: 20,
  color: "BGR",
  resize: "letterbox",
  dtype: "float32",
  order: "HWC",
  scale: 1,
  mean: [0, 0, 0],
  std: [1, 1, 1],
});

async function pixels(decoded: ReturnType<typeof decodeImage>): Promise<Samples> {
  const image = await decoded;
  const samples = image.data.slice();
  image.release();
  return samples;
}

/** Everything that decodes with memory or codecs that the frame before used. */
function decoders(): Record<string, Decode> {
  return {
    decodeImage: (bytes) => pixels(decodeImage(bytes, 3)),
    decodeReduced: (bytes) => pixels(decodeReduced(bytes, 3, 1)),
    "decodeReduced by 8": (bytes) => pixels(decodeReduced(bytes, 1, 8)),
    // As the library is called, without the inspection that keeps most damage from it.
    decompress: async (bytes) => {
      const image = new PooledImage(70, 50, 3);
      const complaint = await decompress(bytes, image, 1);
      const samples = complaint === undefined ? image.data.slice() : undefined;
      image.release();
      return samples;
    },
    extractLuma: (bytes) => extractLuma(bytes),
    keepLuma: (bytes) => keepLuma(bytes, { width: 70, height: 50 }),
    reduceJpeg: (bytes) =>
      canReduce ? reduceJpeg(bytes, { width: 70, height: 50, components: 3 }, 2, 70) : undefined,
    tensor: async (bytes) => {
      const tensor = await tensorizer.tensor(bytes);
      const samples = tensor.data.slice();
      tensor.release();
      return samples;
    },
    encodeJpeg: () => encodeJpeg(picture(70, 50, 3)),
  };
}

Deno.test("any frame before, the same samples after, of every decoder", async () => {
  const all = decoders();
  const good = jpegOf(70, 50) as Uint8Array<ArrayBuffer>;
  const expected = new Map<string, Samples>();
  for (const [name, decode] of Object.entries(all)) expected.set(name, await decode(good));
  const seeds = [
    good,
    Deno.readFileSync(new URL("./kernels/restarts.jpg", import.meta.url)),
    await encoded(70, 50, (image) => image.jpeg({ progressive: true })),
    await encoded(70, 50, (image) => image.jpeg({ chromaSubsampling: "4:4:4" })),
    await encoded(90, 30, (image) => image.toColourspace("b-w").jpeg()),
    await encoded(70, 50, (image) => image.webp()),
  ];
  // Places in ten thousandths of the file: doubles would nearly all lie at its first byte.
  const change = fc.tuple(fc.nat(9_999), fc.nat(255));
  const inHead = fc.tuple(fc.nat(3_000), fc.nat(255));
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...seeds),
      fc.array(fc.oneof(change, inHead), { minLength: 1, maxLength: 6 }),
      fc.constantFrom(0, 0, 0, 2, 4),
      fc.constantFrom(...Object.keys(all)),
      async (seed, changes, twice, name) => {
        // Two start markers, or a segment's beginning twice, among them.
        const bad = Uint8Array.from([...seed.subarray(0, twice), ...seed]);
        for (const [at, value] of changes) bad[Math.floor(at * bad.length / 10_000)] = value;
        try {
          await all[name]!(bad);
        } catch (error) {
          assert.ok(error instanceof BadFrameError, `${name} threw ${error}`);
        }
        assert.deepEqual(await all[name]!(good), expected.get(name), name);
      },
    ),
    { numRuns: 900, seed: 14 },
  );
});
