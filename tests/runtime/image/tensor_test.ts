import assert from "node:assert/strict";
import sharp from "sharp";
import {
  decodeReduced,
  placementOf,
  shrink,
  Tensorizer,
  type TensorSpec,
  toSource,
} from "../../../runtime/image/mod.ts";
import { encoded, jpegOf, maxDifference, meanDifference, picture } from "./fixtures.ts";
import reference from "./tensor_reference.json" with { type: "json" };

const astronaut = Deno.readFileSync(new URL("../../../clips/astronaut.jpg", import.meta.url));

const SPEC: TensorSpec = {
  width: 8,
  height: 8,
  color: "RGB",
  resize: "fill",
  dtype: "float32",
  order: "HWC",
  scale: 1,
  mean: [0, 0, 0],
  std: [1, 1, 1],
};

Deno.test("tensors equal those of OpenCV and NumPy within 1e-3", async () => {
  for (const { spec, size, mean, step, samples } of reference.cases) {
    const full = { ...reference.default, ...spec } as TensorSpec;
    const tensor = await new Tensorizer(full).tensor(astronaut);
    const values = Array.from<number>(tensor.data);
    const name = JSON.stringify(spec);
    assert.equal(values.length, size, name);
    const sampled = values.filter((_, i) => i % step === 0);
    assert.ok(maxDifference(sampled, samples) < 1e-3, `${name}: ${sampled.slice(0, 8)}`);
    assert.ok(Math.abs(values.reduce((a, b) => a + b) / size - mean) < 1e-4, name);
    tensor.release();
  }
});

Deno.test("decodeReduced gives the accurate transform's values at every size", async () => {
  const jpeg = jpegOf(101, 67);
  for (const denominator of [1, 2, 4, 8] as const) {
    for (const channels of [1, 3, 4] as const) {
      const image = await decodeReduced(jpeg, channels, denominator);
      const size = [Math.ceil(101 / denominator), Math.ceil(67 / denominator), channels];
      assert.deepEqual([image.width, image.height, image.channels], size);
      const full = await decodeReduced(jpeg, channels, 1);
      const means = shrink(full, denominator);
      assert.ok(meanDifference(image.data, means.data) < 3, `1/${denominator}`);
      full.release();
      means.release();
      image.release();
    }
  }
  const image = await decodeReduced(jpeg, 3, 1);
  assert.equal(maxDifference(image.data, await sharp(jpeg).raw().toBuffer()), 0);
  image.release();
});

Deno.test("decodeReduced takes every encoding, and padding", async () => {
  const jpeg = jpegOf(40, 30);
  const padding = new Uint8Array(5).fill(0x33);
  const encodings = {
    padded: new Uint8Array([...jpeg.subarray(0, -2), ...padding, ...jpeg.subarray(-2)]),
    png: await encoded(40, 30, (i) => i.png()),
    webp: await encoded(40, 30, (i) => i.webp({ quality: 95 })),
    cmyk: await encoded(40, 30, (i) => i.toColourspace("cmyk").jpeg({ quality: 95 })),
  };
  const expected = shrink(picture(40, 30, 3), 4);
  for (const [name, bytes] of Object.entries(encodings)) {
    const image = await decodeReduced(bytes, 3, 4);
    assert.deepEqual([image.width, image.height], [10, 8]);
    const difference = meanDifference(image.data, expected.data);
    assert.ok(difference < (name === "cmyk" ? 20 : 5), `${name} is ${difference} off`);
    image.release();
  }
});

Deno.test("shrink takes the mean of what there is, also at the edges", () => {
  const data = new Uint8Array([0, 10, 20, 30, 40, 50, 60, 70, 81]);
  const image = shrink({ data, width: 3, height: 3, channels: 1, release: () => {} }, 2);
  assert.deepEqual([...image.data], [20, 35, 65, 81]);
  image.release();
});

Deno.test("the bars of a letterbox hold the pad, whatever the type, the order and the colours", () => {
  for (const dtype of ["float32", "float16", "uint8"] as const) {
    for (const order of ["CHW", "HWC"] as const) {
      for (const color of ["RGB", "BGR", "GRAY"] as const) {
        const image = picture(4, 8, color === "GRAY" ? 1 : 3);
        image.data.fill(10);
        const size = { width: 8, height: 8, resize: "letterbox", pad: 114 } as const;
        const { data } = new Tensorizer({ ...SPEC, ...size, dtype, order, color }).fromImage(image);
        const samples = Array.from<number>(data);
        const name = `${dtype} ${order} ${color}`;
        assert.deepEqual([...new Set(samples)], [114, 10], name);
        assert.equal(samples.filter((sample) => sample === 114).length, data.length / 2, name);
      }
    }
  }
});

Deno.test("tensors of other types hold the same values", () => {
  const image = picture(16, 8, 3);
  const scaled = { ...SPEC, scale: 1 / 255, mean: [0.1, 0.2, 0.3], std: [0.5, 0.6, 0.7] };
  const float = new Tensorizer(scaled).fromImage(image).data;
  const half = new Tensorizer({ ...scaled, dtype: "float16" }).fromImage(image).data;
  assert.ok(maxDifference(Array.from(half), float) < 1e-3);
  const bytes = new Tensorizer({ ...SPEC, dtype: "uint8" }).fromImage(image).data;
  assert.deepEqual(Array.from(bytes), Array.from(new Tensorizer(SPEC).fromImage(image).data));
  const signed = new Tensorizer({ ...SPEC, dtype: "uint8", mean: [128, 128, 128] });
  assert.equal(Math.min(...signed.fromImage(image).data), 0, "below 0 is 0");
});

Deno.test("bytes are rounded and clipped", () => {
  const image = picture(16, 8, 1);
  image.data.set([0, 7, 9, 254, 255]);
  const spec = { ...SPEC, width: 16, color: "GRAY", dtype: "uint8", scale: 1.25 } as const;
  const { data } = new Tensorizer({ ...spec, mean: [3.75] }).fromImage(image);
  assert.deepEqual([...data.subarray(0, 5)], [0, 5, 8, 255, 255]);
});

Deno.test("a picture that does not fit into the kernels' memory becomes a tensor too", () => {
  const size = { width: 12_000, height: 3_000, channels: 3 } as const;
  const image = { ...size, data: new Uint8Array(12_000 * 3_000 * 3), release: () => {} };
  image.data.fill(9, -100 * 36_000);
  const { data } = new Tensorizer(SPEC).fromImage(image);
  assert.deepEqual([...new Set(data)], [0]);
  const last = new Tensorizer({ ...SPEC, height: 3_000 }).fromImage(image).data;
  assert.deepEqual([...new Set(last.subarray(-100 * 24))], [9]);
});

Deno.test("planes hold the same values as pixels, in either colour order", () => {
  const image = picture(8, 8, 3);
  const pixels = new Tensorizer(SPEC).fromImage(image).data;
  const planes = new Tensorizer({ ...SPEC, order: "CHW", color: "BGR" }).fromImage(image).data;
  for (let pixel = 0; pixel < 64; pixel++) {
    for (let c = 0; c < 3; c++) assert.equal(planes[c * 64 + pixel], pixels[pixel * 3 + 2 - c]);
  }
});

Deno.test("a released tensor is lent again, and bars are black even then", () => {
  const tensorizer = new Tensorizer({ ...SPEC, resize: "letterbox" });
  const white = picture(8, 8, 3);
  white.data.fill(255);
  const square = tensorizer.fromImage(white);
  square.release();
  square.release();
  const wide = tensorizer.fromImage({ ...white, height: 2, data: white.data.subarray(0, 48) });
  assert.equal(wide.data, square.data);
  assert.deepEqual(Array.from(wide.data.subarray(0, 3 * 8 * 3)), new Array(72).fill(0));
  assert.deepEqual(Array.from(wide.data.subarray(72, 72 + 48)), new Array(48).fill(255));
  assert.notEqual(tensorizer.fromImage(white).data, square.data);
});

Deno.test("boxes go back to pixels of the frame", () => {
  const cases = [
    { resize: "fill", box: [0, 0, 8, 8], expected: [0, 0, 640, 480] },
    { resize: "fill", box: [2, 2, 4, 4], expected: [160, 120, 320, 240] },
    { resize: "letterbox", box: [0, 1, 8, 7], expected: [0, 0, 640, 480] },
    { resize: "letterbox", box: [0, 0, 4, 8], expected: [0, 0, 320, 480] },
    { resize: "crop", box: [0, 0, 8, 8], expected: [80, 0, 560, 480] },
  ] as const;
  for (const { resize, box, expected } of cases) {
    for (const reduce of [true, false]) {
      const placement = placementOf({ ...SPEC, resize, reduce }, 640, 480);
      assert.equal(placement.denominator, reduce ? 8 : 1);
      assert.deepEqual(toSource(placement, box), expected, resize);
    }
  }
});

Deno.test("frames are decoded no smaller than a model sees them", () => {
  const sizes = [[224, 224, 2], [240, 240, 2], [241, 241, 1], [384, 384, 1], [160, 120, 4]];
  for (const [width, height, denominator] of sizes) {
    const placement = placementOf({ ...SPEC, width: width!, height: height! }, 640, 480);
    assert.equal(placement.denominator, denominator, `${width}x${height}`);
  }
});
