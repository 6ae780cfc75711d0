import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import fc from "fast-check";
import sharp from "sharp";
import { decodeJpeg, inspectImage } from "../../../../runtime/image/mod.ts";
import { keepLuma } from "../../../../runtime/image/turbojpeg.ts";
import { Kernels } from "../../../../runtime/image/kernels/kernels.ts";
import { repaired } from "../../../../runtime/image/kernels/repair.ts";
import { takeLuma } from "../../../../runtime/image/kernels/luma_jpeg.ts";
import { jpegOf, noiseJpeg, withSegment } from "../fixtures.ts";

const SUBSAMPLED = { chromaSubsampling: "4:2:0" } as const;
const astronaut = Deno.readFileSync(new URL("../../../../clips/astronaut.jpg", import.meta.url));

const kernels = new Kernels();
const take = (jpeg: Uint8Array) => takeLuma(kernels, jpeg);

/** Every sample of a grey picture. */
async function samples(jpeg: Uint8Array): Promise<Uint8Array> {
  const image = await decodeJpeg(jpeg, 1);
  const data = image.data.slice();
  image.release();
  return data;
}

/** What is taken has the samples that libjpeg keeps, and is a grey JPEG of the same size. */
async function checkTaken(jpeg: Uint8Array, name: string): Promise<void> {
  const taken = take(jpeg);
  assert.ok(taken !== undefined, `${name} is refused`);
  const { width, height } = inspectImage(jpeg);
  assert.deepEqual(
    (({ width, height, components, type }) => ({ width, height, components, type }))(
      inspectImage(taken),
    ),
    { width, height, components: 1, type: "jpeg" },
    name,
  );
  const kept = await keepLuma(jpeg as Uint8Array<ArrayBuffer>, { width, height });
  assert.deepEqual(await samples(taken), await samples(kept!), name);
}

Deno.test("luma is taken without the change of a sample", async () => {
  const photo = sharp(astronaut).resize(333, 277);
  const pictures: Record<string, Uint8Array> = {
    "one pixel": jpegOf(1, 1),
    "one unit": jpegOf(16, 16),
    "a block less across": jpegOf(24, 32),
    "a block less down": jpegOf(32, 24),
    "odd size": jpegOf(101, 67),
    photo: await photo.clone().jpeg({ ...SUBSAMPLED, quality: 75 }).toBuffer(),
    optimised: await photo.clone().jpeg({ ...SUBSAMPLED, quality: 92, optimiseCoding: true })
      .toBuffer(),
  };
  for (const quality of [1, 10, 50, 90, 97, 100]) {
    for (const amount of [0, 0.05, 1]) {
      pictures[`noise of ${amount}, quality ${quality}`] = noiseJpeg(70, 50, quality, amount);
    }
  }
  for (const [name, jpeg] of Object.entries(pictures)) {
    await checkTaken(new Uint8Array(jpeg), name);
  }
});

Deno.test("luma of pictures of any size and quality is taken", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 90 }),
      fc.integer({ min: 1, max: 90 }),
      fc.integer({ min: 1, max: 100 }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      async (width, height, quality, amount) => {
        await checkTaken(noiseJpeg(width, height, quality, amount), `${width}×${height}`);
      },
    ),
    { numRuns: 60 },
  );
});

Deno.test("what the kernels do not know is left to libjpeg", async () => {
  const photo = sharp(astronaut).resize(100, 80);
  const others: Record<string, Uint8Array> = {
    "not subsampled": await photo.clone().jpeg({ chromaSubsampling: "4:4:4" }).toBuffer(),
    progressive: await photo.clone().jpeg({ ...SUBSAMPLED, progressive: true }).toBuffer(),
    grey: await photo.clone().toColourspace("b-w").jpeg().toBuffer(),
    "restart markers": Deno.readFileSync(new URL("./restarts.jpg", import.meta.url)),
    PNG: await photo.clone().png().toBuffer(),
    nothing: new Uint8Array(0),
  };
  for (const [name, bytes] of Object.entries(others)) {
    assert.equal(take(bytes), undefined, name);
  }
  // Metadata is left behind.
  const tagged = withSegment(jpegOf(40, 30), 0xe1, new TextEncoder().encode("Exif\0\0secret"));
  assert.ok(!Buffer.from(take(tagged)!).includes("secret"));
});

Deno.test("what is cut or damaged is refused, or is what libjpeg makes of it", async () => {
  const whole = noiseJpeg(64, 48, 80, 0.4);
  for (let length = 0; length < whole.length - 2; length++) {
    assert.equal(take(whole.subarray(0, length)), undefined, `${length} bytes`);
  }
  // Nothing but the end marker is missing.
  assert.deepEqual(take(whole.subarray(0, -2)), take(whole));
  let accepted = 0, different = 0;
  await fc.assert(
    fc.asyncProperty(fc.nat(whole.length - 1), fc.nat(255), async (at, value) => {
      const damaged = whole.slice();
      damaged[at] = value;
      const taken = take(damaged);
      if (taken === undefined) return;
      accepted++;
      const { width, height } = inspectImage(damaged);
      const kept = await keepLuma(repaired(damaged) ?? damaged, { width, height });
      if (kept === undefined) {
        different++;
        return;
      }
      assert.deepEqual(await samples(taken), await samples(kept), `byte ${at} is ${value}`);
    }),
    { numRuns: 1_500 },
  );
  assert.ok(accepted > 20, `${accepted} accepted`);
  assert.ok(different <= accepted / 50, `${different} of ${accepted} would have been refused`);
});
