import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { parseManifest } from "../../../../queries/operators/model/manifest.ts";
import { OutputReaders } from "../../../../queries/operators/model/readers/mod.ts";
import type { ModelTensor, Samples } from "../../../../queries/operators/model/session.ts";
import { type DetectedObject } from "../../../../runtime/mod.ts";
import { placementOf } from "../../../../runtime/image/mod.ts";
import reference from "./heads/heads_reference.json" with { type: "json" };

const { width, height, inputWidth, inputHeight } = reference.frame;

interface Stored {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly data: string;
}

const ARRAYS = {
  float32: Float32Array,
  float64: Float64Array,
  float16: Float16Array,
  int32: Int32Array,
  int64: BigInt64Array,
} as const;

function tensorOf({ dtype, shape, data }: Stored): ModelTensor {
  const bytes = new Uint8Array(Buffer.from(data, "base64"));
  const samples: Samples = new ARRAYS[dtype as keyof typeof ARRAYS](bytes.buffer);
  return { dtype, shape, data: samples };
}

/** Reads the tensors of several frames as the manifest's only output says. */
function read(
  output: unknown,
  tensors: Readonly<Record<string, ModelTensor>>,
  { resize = "letterbox", constants = {}, frames = 1 } = {},
): readonly (readonly DetectedObject[])[] {
  const manifest = parseManifest({
    name: "m",
    file: "m.onnx",
    input: {
      name: "i",
      layout: "NCHW",
      frames,
      width: inputWidth,
      height: inputHeight,
      resize,
    },
    constants,
    outputs: [output],
  }, "model.json");
  const [input] = manifest.inputs;
  const spec = { ...input!, dtype: "float32", order: "CHW", resize: input!.resize } as const;
  const placement = placementOf(spec, width, height);
  const context = { frames, input: input!, placements: new Array(frames).fill(placement) };
  const outputs = new Map(Object.entries(tensors));
  return new OutputReaders(manifest).read(outputs, context).frames
    .map(({ objects }) => objects!);
}

for (const { name, tensors, output, resize, objects, ...more } of reference.cases) {
  Deno.test(`objects of ${name} are those of the reference`, () => {
    const stored = Object.entries(tensors as unknown as Record<string, Stored>);
    const given = Object.fromEntries(stored.map(([key, value]) => [key, tensorOf(value)]));
    const constants = "constants" in more ? more.constants : {};
    const [found] = read(output, given, { resize, constants });
    assertSame(found!, objects as unknown as DetectedObject[]);
  });
}

function assertSame(found: readonly DetectedObject[], expected: readonly DetectedObject[]): void {
  assert.deepEqual(found.map(({ label }) => label), expected.map(({ label }) => label));
  for (const [i, { score, box }] of expected.entries()) {
    assert.ok(Math.abs(found[i]!.score - score) < 1e-3, `${found[i]!.score} for ${score}`);
    for (const [side, value] of box.entries()) {
      assert.ok(Math.abs(found[i]!.box[side]! - value) <= 1, `${found[i]!.box} for ${box}`);
    }
  }
}

Deno.test("a batch of frames is divided among them", () => {
  const single = reference.cases.find(({ name }) => name === "yolov8")!;
  const stored = (single.tensors as unknown as Record<string, Stored>)["output0"]!;
  const { dtype, shape, data } = tensorOf(stored);
  const empty = new Float32Array(data.length);
  const both = new Float32Array([...empty, ...data as Float32Array]);
  const tensors = { output0: { dtype, shape: [2, ...shape.slice(1)], data: both } };
  const [first, second] = read(single.output, tensors, { frames: 2 });
  assert.deepEqual(first, []);
  assertSame(second!, single.objects as unknown as DetectedObject[]);
});

Deno.test("scores, boxes and classes that are no numbers are no objects, nor are boxes turned inside out", () => {
  const row = (...values: number[]) => values;
  const data = Float32Array.from([
    ...row(10, 10, 20, 20, NaN, 0),
    ...row(NaN, 10, 20, 20, 0.9, 0),
    ...row(10, 10, Infinity, 20, 0.9, 0),
    ...row(10, 10, 20, 20, 0.9, NaN),
    ...row(20, 10, 10, 20, 0.9, 0),
    ...row(10, 20, 20, 10, 0.9, 0),
    ...row(10, 10, 20, 20, 0.8, 1),
  ]);
  const output = { name: "out", kind: "objects", format: "yolov10" };
  const [found] = read(output, { out: { dtype: "float32", shape: [1, 7, 6], data } });
  assert.deepEqual(found!.map(({ label, score }) => [label, score]), [["class 1", 0.8]]);
});

Deno.test("whatever numbers a head holds, objects are in the frame and have finite scores", () => {
  const odd = [NaN, Infinity, -Infinity, 3.4e38, -3.4e38, 1e30, -1, 0, 1];
  let turn = 0;
  const next = () => Math.imul(++turn, 0x9e3779b1) >>> 8;
  for (const { name, tensors, output, resize, ...more } of reference.cases) {
    const given = Object.entries(tensors as unknown as Record<string, Stored>).map(
      ([key, stored]) => {
        const { shape, data } = tensorOf(stored);
        const numbers = Float64Array.from(
          data as ArrayLike<number>,
          (value) => next() % 2 === 0 ? odd[next() % odd.length]! : Number(value),
        );
        return [key, { dtype: "float64", shape, data: numbers }] as const;
      },
    );
    const constants = "constants" in more ? more.constants : {};
    const [found] = read(output, Object.fromEntries(given), { resize, constants });
    for (const { label, score, box } of found!) {
      const [left, top, right, bottom] = box;
      assert.ok(Number.isFinite(score), `${name}: score ${score}`);
      assert.ok(0 <= left && left <= right && right <= width, `${name}: ${box}`);
      assert.ok(0 <= top && top <= bottom && bottom <= height, `${name}: ${box}`);
      assert.doesNotMatch(label, /e\+/, name);
    }
  }
});

Deno.test("a score for each box may be a dimension of its own or not, in a batch too", () => {
  const dtype = "float32", box = [0.1, 0.1, 0.2, 0.2];
  const output = { name: "s", kind: "objects", format: "ssd", boxes: "b", labels: ["a"] };
  const boxes = Float32Array.from([box, box.map((side) => side + 0.5), box, box].flat());
  const data = Float32Array.from([0.9, 0.1, 0.2, 0.8]);
  const [first, second] = [[2, 2], [2, 2, 1]].map((shape) => {
    const tensors = { s: { dtype, shape, data }, b: { dtype, shape: [2, 2, 4], data: boxes } };
    return read(output, tensors, { frames: 2 });
  });
  assert.deepEqual(first, second);
  assert.deepEqual(first!.map((found) => found.map(({ score }) => score)), [[0.9], [0.8]]);
});

Deno.test("grids have equally many tensors each, and no others beside them", () => {
  const grids = { name: "p8", kind: "objects", format: "yolox", levels: ["p8", "p16"] };
  for (
    const fault of [{ levels: [["p8"], []] }, { levels: [["p8", "q8"], "p16"] }, { boxes: "b" }]
  ) {
    assert.throws(
      () => read({ ...grids, ...fault }, {}),
      /outputs\[0\].levels: expected equally many outputs for each grid, and no boxes, .* beside/,
    );
  }
});
