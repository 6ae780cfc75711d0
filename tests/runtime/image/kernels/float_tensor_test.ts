import assert from "node:assert/strict";
import { decodeReduced, Tensorizer, type TensorSpec } from "../../../../runtime/image/mod.ts";
import { jpegOf, maxDifference, picture } from "../fixtures.ts";
import reference from "./peer_reference.json" with { type: "json" };

const SPEC: TensorSpec = {
  width: 224,
  height: 224,
  color: "RGB",
  resize: "fill",
  dtype: "float32",
  order: "HWC",
  scale: 1,
  mean: [0, 0, 0],
  std: [1, 1, 1],
};

/** All ways to lay tensors out, in sizes of every remainder. */
function* specs(): Generator<TensorSpec> {
  for (const resize of ["fill", "letterbox", "crop"] as const) {
    for (const order of ["HWC", "CHW"] as const) {
      for (const color of ["RGB", "BGR"] as const) {
        for (const [width, height] of [[50, 37], [35, 41], [52, 33], [29, 30]] as const) {
          yield { ...SPEC, resize, order, color, width, height };
        }
      }
    }
  }
}

Deno.test("floats are those of the Python peer, which decodes at half size too", async () => {
  const { width, height, step, mean, samples } = reference;
  const jpeg = Deno.readFileSync(new URL("./restarts.jpg", import.meta.url));
  const tensor = await new Tensorizer({ ...SPEC, width, height, scale: 1 / 255 }).tensor(jpeg);
  assert.equal(tensor.placement.denominator, 2);
  const values = Array.from<number>(tensor.data);
  assert.equal(values.length, 3 * width * height);
  assert.ok(maxDifference(values.filter((_, i) => i % step === 0), samples) < 1e-5);
  assert.ok(Math.abs(values.reduce((a, b) => a + b) / values.length - mean) < 1e-6);
});

Deno.test("floats of pictures are those that bytes are made of", () => {
  for (const [width, height] of [[101, 83], [100, 74], [35, 41], [58, 60], [7, 5]] as const) {
    const image = picture(width, height, 3);
    for (const spec of specs()) {
      const floats = new Tensorizer(spec).fromImage(image).data;
      const bytes = new Tensorizer({ ...spec, dtype: "uint8" }).fromImage(image).data;
      assert.equal(maxDifference(floats, bytes), 0, `${width}x${height} ${JSON.stringify(spec)}`);
    }
  }
});

Deno.test("floats of JPEGs at full and half size are those that bytes are made of", async () => {
  const sizes = new Set<number>();
  const jpegs = [jpegOf(101, 83), jpegOf(104, 74), jpegOf(70, 82), jpegOf(58, 60)];
  for (const spec of specs()) {
    const [floats, bytes] = [spec, { ...spec, dtype: "uint8" as const }]
      .map((one) => new Tensorizer(one));
    for (const jpeg of jpegs) {
      const [ours, theirs] = [await floats!.tensor(jpeg), await bytes!.tensor(jpeg)];
      assert.deepEqual(ours.placement, theirs.placement);
      sizes.add(ours.placement.denominator);
      assert.equal(maxDifference(ours.data, theirs.data), 0, JSON.stringify(spec));
      ours.release();
      theirs.release();
    }
  }
  assert.deepEqual([...sizes].sort(), [1, 2]);
});

Deno.test("each colour has its own factor and offset", async () => {
  const scale = 1 / 255, mean = [0.1, 0.5, 0.3], std = [0.2, 0.4, 0.7];
  const image = await decodeReduced(jpegOf(64, 48), 3, 1);
  for (const order of ["HWC", "CHW"] as const) {
    for (const color of ["RGB", "BGR"] as const) {
      const spec = { ...SPEC, width: 30, height: 26, order, color };
      const samples = new Tensorizer(spec).fromImage(image).data;
      const floats = new Tensorizer({ ...spec, scale, mean, std }).fromImage(image).data;
      const expected = Array.from(samples, (sample, i) => {
        const c = order === "HWC" ? i % 3 : Math.floor(i / (30 * 26));
        return (sample * scale - mean[c]!) / std[c]!;
      });
      assert.ok(maxDifference(floats, expected) < 1e-5, `${order} ${color}`);
    }
  }
  image.release();
});
