import assert from "node:assert/strict";
import {
  decodeReduced,
  type FrameTensor,
  type Placement,
  type RawImage,
  Tensorizer,
  type TensorSpec,
} from "../../../../runtime/image/mod.ts";
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
      for (const color of ["RGB", "BGR", "GRAY"] as const) {
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

/** What OpenCV's `INTER_LINEAR` makes of a part of a picture, sample by sample. */
function resized(
  { data, width: whole, channels }: RawImage,
  { crop, content }: Placement,
): number[] {
  const at = (x: number, y: number, c: number) =>
    data[((crop.top + y) * whole + crop.left + x) * channels + c]!;
  const tap = (i: number, from: number, to: number) => {
    const position = Math.fround((i + 0.5) * (from / to) - 0.5), first = Math.floor(position);
    const clip = (one: number) => Math.max(0, Math.min(one, from - 1));
    const share = Math.round(2048 * Math.fround(position - first));
    return [clip(first), clip(first + 1), share] as const;
  };
  const mixed = (x: number, y: number, c: number) => {
    const [left, right, share] = tap(x, crop.width, content.width);
    const [upper, lower, weight] = tap(y, crop.height, content.height);
    const across = (line: number) =>
      ((2048 - share) * at(left, line, c) + share * at(right, line, c)) >> 4;
    return ((across(upper) * (2048 - weight) >> 16) + (across(lower) * weight >> 16) + 2) >> 2;
  };
  const halved = (x: number, y: number, c: number) =>
    [0, 1, 2, 3].reduce((sum, i) => sum + at(2 * x + i % 2, 2 * y + (i >> 1), c), 2) >> 2;
  const isHalf = crop.width === 2 * content.width && crop.height === 2 * content.height;
  const samples: number[] = [];
  for (let y = 0; y < content.height; y++) {
    for (let x = 0; x < content.width; x++) {
      for (let c = 0; c < channels; c++) samples.push((isHalf ? halved : mixed)(x, y, c));
    }
  }
  return samples;
}

/** A tensor's samples without bars, pixel by pixel, red first. */
function contentOf({ data, placement: { content } }: FrameTensor, spec: TensorSpec): number[] {
  const { width, height, color, order } = spec;
  const channels = color === "GRAY" ? [0] : color === "BGR" ? [2, 1, 0] : [0, 1, 2];
  const samples: number[] = [];
  for (let y = content.top; y < content.top + content.height; y++) {
    for (let x = content.left; x < content.left + content.width; x++) {
      const pixel = y * width + x;
      for (const c of channels) {
        samples.push(
          data[order === "HWC" ? pixel * channels.length + c : c * width * height + pixel]!,
        );
      }
    }
  }
  return samples;
}

Deno.test("tensors of pictures are resized as OpenCV does, to the last bit, in every layout", () => {
  for (const [width, height] of [[101, 83], [100, 74], [35, 41], [58, 60], [7, 5]] as const) {
    for (const spec of specs()) {
      const image = picture(width, height, spec.color === "GRAY" ? 1 : 3);
      const tensor = new Tensorizer(spec).fromImage(image);
      const difference = maxDifference(contentOf(tensor, spec), resized(image, tensor.placement));
      assert.equal(difference, 0, `${width}x${height} ${JSON.stringify(spec)}`);
    }
  }
});

Deno.test("tensors of JPEGs at full and half size are those of their pixels", async () => {
  const sizes = new Set<number>();
  const jpegs = [jpegOf(101, 83), jpegOf(104, 74), jpegOf(70, 82), jpegOf(58, 60)];
  for (const spec of specs()) {
    const tensorizer = new Tensorizer(spec);
    for (const jpeg of jpegs) {
      const tensor = await tensorizer.tensor(jpeg);
      const { denominator } = tensor.placement;
      sizes.add(denominator);
      const image = await decodeReduced(jpeg, spec.color === "GRAY" ? 1 : 3, denominator);
      const difference = maxDifference(contentOf(tensor, spec), resized(image, tensor.placement));
      assert.equal(difference, 0, JSON.stringify(spec));
      image.release();
      tensor.release();
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
