import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { MOST_SCORES } from "../../../../queries/operators/model/readers/scores.ts";
import { parseManifest } from "../../../../queries/operators/model/manifest.ts";
import { OutputReaders } from "../../../../queries/operators/model/readers/mod.ts";
import type { ModelTensor, Samples } from "../../../../queries/operators/model/session.ts";
import { type BadFrameError, decodeImage } from "../../../../runtime/mod.ts";
import { placementOf } from "../../../../runtime/image/mod.ts";

/** Reads one output of a model of 64x32 pixels, which is shown a frame of 128x128: letterboxed to 32x32. */
function read(
  output: object,
  shape: readonly number[],
  data: Samples,
  frames = 1,
  others: Readonly<Record<string, ModelTensor>> = { s: SCORE },
) {
  const input = { name: "i", layout: "NTCHW", frames, width: 64, height: 32, resize: "letterbox" };
  const manifest = parseManifest({
    name: "m",
    file: "m.onnx",
    input,
    outputs: [{ name: "o", ...output }],
  }, "model.json");
  const spec = { ...manifest.inputs[0]!, dtype: "float32", order: "CHW" } as const;
  const placements = new Array(frames).fill(placementOf(spec, 128, 128));
  const dtype = data instanceof BigInt64Array ? "int64" : "float32";
  return new OutputReaders(manifest).read(
    new Map(Object.entries({ o: { dtype, shape, data }, ...others })),
    { frames, input: manifest.inputs[0]!, placements },
  );
}

const SCORE = { dtype: "float32", shape: [1, 1, 1], data: Float32Array.of(0.5) };
const window = { kind: "window" };

Deno.test("scores: softmax over as many values as there may be", () => {
  const data = Float32Array.from({ length: MOST_SCORES }, (_, i) => i === 7 ? 90 : 80);
  const { scores } = read({ ...window, activation: "softmax" }, [1, MOST_SCORES], data);
  const sum = Object.values(scores).reduce((total, score) => total + score, 0);
  assert.ok(Math.abs(sum - 1) < 1e-3);
  assert.ok(Math.abs(scores["o.7"]! - Math.exp(10) / (Math.exp(10) + MOST_SCORES - 1)) < 1e-6);
});

Deno.test("scores: too many are refused with the shape, top keeps the highest", () => {
  const data = Float32Array.from({ length: 705_600 }, (_, i) => i % 1000 / 1000);
  assert.throws(
    () => read(window, [1, 84, 8400], data),
    /output o of shape \[1, 84, 8400\]: expected up to 2000 scores; read it with kind objects/,
  );
  const { scores } = read({ ...window, top: 2 }, [1, 84, 8400], data);
  assert.deepEqual(scores, { "o.999": 0.999, "o.1999": 0.999 });
  const frames = (top: number) => () =>
    read({ kind: "frame", top }, [3, 1000], data.slice(0, 3000), 3);
  assert.equal(Object.keys(frames(666)().frames[2]!.scores!).length, 666);
  assert.throws(frames(667), /expected up to 2000 scores/);
});

Deno.test("scores: none at all is an answer, and another number than labels is none", () => {
  const labels = ["a", "b", "c"];
  assert.deepEqual(read({ ...window, labels }, [0, 3], new BigInt64Array(0)).scores, {});
  const perFrame = read({ kind: "frame", labels }, [0, 3], new Float32Array(0), 2);
  assert.deepEqual([perFrame.scores, perFrame.frames], [{}, []]);
  const { scores } = read({ ...window, labels }, [1, 3], BigInt64Array.from([0n, 2n, 5n]));
  assert.deepEqual(scores, { a: 0, b: 2, c: 5 });
  assert.throws(
    () => read({ ...window, labels }, [2, 3], new Float32Array(6)),
    /of shape \[2, 3\]: expected 3 values for the window/,
  );
});

Deno.test("scores: what is no number is left out and told", () => {
  const labels = ["a", "b"];
  const found = read({ ...window, labels }, [1, 2], Float32Array.from([NaN, 0.5]));
  assert.deepEqual(found.scores, { b: 0.5 });
  assert.deepEqual(found.data, { invalidScores: ["a"] });
});

Deno.test("peaks: of equal neighbours the first counts, and what is no number hides none", () => {
  const output = { kind: "objects", format: "centernet", boxes: "o", labels: ["a", "b"] };
  const plain = [0, 0.9, 0.9, 0, 0, 0.9, 0, 0], holed = [NaN, 0.9, NaN, 0, 0, 0.8, 0, 0];
  const { frames } = read(output, [1, 2, 2, 4], Float32Array.from([...plain, ...holed]));
  const found = frames[0]!.objects!.map(({ label, score }) => [label, score]);
  assert.deepEqual(found, [["a", 0.9], ["b", 0.9]]);
});

Deno.test("peaks: boxes are sides in pixels, or width and height in cells around an offset middle", () => {
  const output = { kind: "objects", format: "centernet", labels: ["a"], boxes: "boxes" };
  const plane = (value: number) => [0, 0, 0, 0, 0, 0, value, 0];
  const tensor = (...values: number[]) => {
    const data = Float32Array.from(values.flatMap(plane));
    return { dtype: "float32", shape: [1, values.length, 2, 4], data };
  };
  const boxOf = (more: object, others: Readonly<Record<string, ModelTensor>>) => {
    const heat = Float32Array.from(plane(0.9));
    const { frames } = read({ ...output, ...more }, [1, 1, 2, 4], heat, 1, others);
    return frames[0]!.objects!.map(({ box }) => box);
  };
  // The cell begins at 32, 16 of the input; a cell has 16 pixels, which are 64 of the frame.
  assert.deepEqual(boxOf({}, { boxes: tensor(8, 4, 12, 8) }), [[32, 48, 112, 96]]);
  assert.deepEqual(boxOf({}, { boxes: tensor(1, 0.5) }), [[32, 48, 96, 80]]);
  const offset = { boxes: tensor(1, 0.5), middles: tensor(0.25, 0.5) };
  assert.deepEqual(boxOf({ offsets: "middles" }, offset), [[48, 80, 112, 112]]);
});

Deno.test("objects: activation makes scores of logits in every format", () => {
  const labels = ["a"], four = [16, 16, 8, 8];
  const box = { columns: ["x", "y", "width", "height", "score"] };
  const outputs: [output: object, shape: number[], numbers: number[], score: number][] = [
    [{ format: "yolov8" }, [1, 1, 5], [...four, 0.5], 0.6225],
    [{ format: "yolov5" }, [1, 1, 6], [...four, 0.5, 0.5], 0.3875],
    [{ format: "yolox", decoded: true }, [1, 1, 6], [...four, 0.5, 0.5], 0.3875],
    [{ format: "yolov10" }, [1, 1, 6], [8, 8, 16, 16, 0.5, 0], 0.6225],
    [{ format: "rows", ...box }, [1, 5], [...four, 0.5], 0.6225],
    [{ format: "centernet", boxes: "o" }, [4, 1, 1], [0.5, 0.5, 0.5, 0.5], 0.6225],
  ];
  const logits = { kind: "objects", labels, activation: "sigmoid" };
  for (const [output, shape, numbers, score] of outputs) {
    const scores = [score - 0.001, score + 0.001].map((threshold) => {
      const { frames } = read(
        { ...logits, ...output, threshold },
        shape,
        new Float32Array(numbers),
      );
      return frames[0]!.objects![0]?.score;
    });
    assert.deepEqual(scores, [score, undefined], JSON.stringify(output));
  }
  const softmax = { ...logits, format: "yolov8", activation: "softmax" };
  assert.throws(() => read(softmax, [1, 5, 1], new Float32Array(5)), /expected .*none.*sigmoid/);
});

Deno.test("objects: a score equal to the threshold counts, and boxes that overlap by iou stay", () => {
  const labels = ["a"], heads = { boxes: "o", scores: "s" };
  const columns = ["x", "y", "width", "height", "score"];
  const row = [16, 16, 8, 8, 0.5];
  const formats: [output: object, shape: number[], numbers: number[]][] = [
    [{ format: "yolov8" }, [1, 1, 5], row],
    [{ format: "yolov5" }, [1, 1, 6], [...row, 1]],
    [{ format: "yolox" }, [1, 42, 6], [0, 0, 0, 0, 0.5, 1, ...new Array(246).fill(0)]],
    [{ format: "nanodet" }, [1, 42, 9], [0.5, ...new Array(377).fill(0)]],
    [{ format: "yolov10" }, [1, 1, 6], [8, 8, 16, 16, 0.5, 0]],
    [{ format: "rows", columns }, [1, 5], row],
    [{ format: "centernet", boxes: "o" }, [4, 1, 1], [0.5, 0.5, 0.5, 0.5]],
    [{ format: "detr", ...heads, activation: "none" }, [1, 1, 4], [0.5, 0.5, 0.1, 0.1]],
    [{ format: "ssd", ...heads }, [1, 1, 4], [0.5, 0.5, 0.6, 0.6]],
  ];
  for (const [output, shape, numbers] of formats) {
    const found = [0.5, 0.501].map((threshold) =>
      read({ kind: "objects", labels, threshold, ...output }, shape, Float32Array.from(numbers))
        .frames[0]!.objects!.length > 0
    );
    assert.deepEqual(found, [true, false], JSON.stringify(output));
  }
  const twins = Float32Array.from([16, 8, 32, 8, 0.9, 0, 16, 12, 32, 8, 0.8, 0]);
  const count = (iou: number) =>
    read(
      { kind: "objects", format: "rows", columns: [...columns, "class"], labels, iou },
      [2, 6],
      twins,
    ).frames[0]!.objects!.length;
  assert.deepEqual([count(1 / 3), count(0.333)], [2, 1]);
});

Deno.test("a tensor of another shape costs the frame, by the output's name, shape and what is read", () => {
  const labels = ["a", "b"], columns = ["x", "y", "width", "height", "score"];
  const anchors = new Array(3).fill([1, 2, 3, 4]), levels = ["o", "o", "o"];
  const objects = { kind: "objects", labels };
  const peaks = { ...objects, format: "centernet", boxes: "o" };
  const heads = { ...objects, format: "ssd", boxes: "o", scores: "s" };
  const odd: [output: object, shape: number[], expected: RegExp][] = [
    [{ ...objects, format: "yolov8" }, [1, 5, 5], /rows of 4 numbers and 2 scores/],
    [
      { ...objects, format: "yolov8" },
      [1, 2, 6, 6],
      /rows of numbers, two dimensions for each fra/,
    ],
    [{ ...objects, format: "yolov5" }, [1, 6, 6], /rows of 5 numbers and 2 scores/],
    [
      { ...objects, format: "yolov5", anchors, levels },
      [1, 5, 1, 1],
      /numbers of 2 anchors in each/,
    ],
    [{ ...objects, format: "yolox" }, [1, 44, 7], /the cells of strides 8, 16, 32 in 64x32/],
    [{ ...objects, format: "nanodet" }, [1, 42, 9], /rows of 2 scores and 4 times as many numbers/],
    [{ ...objects, format: "rows", columns }, [4, 6], /rows of 5 numbers, as columns says/],
    [peaks, [8], /channels of rows of cells/],
    [peaks, [3, 2, 4], /2 or 4 channels of 2x4 cells/],
    [heads, [1, 4, 4], /scores for each of 4 boxes/],
    [{ kind: "keypoints", format: "yolov8", points: labels }, [1, 10, 8], /1 scores and 2 points/],
    [{ kind: "keypoints", format: "points", points: labels }, [3, 3], /expected 2 points/],
    [{ kind: "keypoints", format: "heatmaps", points: labels }, [3, 2, 2], /expected 2 maps/],
    [{ kind: "map", labels: ["a", "b", "c"] }, [2, 4, 4], /expected 3 classes for each spot/],
    [{ kind: "map" }, [257, 2, 258], /up to 256 classes for each spot/],
  ];
  for (const [output, shape, expected] of odd) {
    const size = shape.reduce((all, one) => all * one, 1);
    assert.throws(() => read(output, shape, new Float32Array(size)), (error) => {
      assert.match(
        (error as Error).message,
        /^Cannot read output [os] of shape \[[\d, ]+\]: expected/,
      );
      assert.match((error as Error).message, expected);
      return (error as BadFrameError).reason === "model-output";
    }, JSON.stringify(output));
  }
});

Deno.test("scores of each frame", () => {
  const output = { kind: "frame", labels: ["x"] };
  const { frames } = read(output, [1, 2, 1], Float32Array.from([0.25, 0.5]), 2);
  assert.deepEqual(frames, [{ scores: { x: 0.25 } }, { scores: { x: 0.5 } }]);
});

Deno.test("map: the areas of classes in the frame alone, and a mask as PNG", async () => {
  // The frame covers the 8 middle columns of 16: its left half is road, its right half sky.
  const width = 16, height = 8, plane = width * height;
  const data = new Float32Array(3 * plane);
  for (let cell = 0; cell < plane; cell++) {
    const x = cell % width;
    data[(x < 4 || x >= 12 ? 2 : x < 8 ? 0 : 1) * plane + cell] = 1;
  }
  const output = { kind: "map", labels: ["road", "sky", "bar"], mask: true };
  const { scores, data: more } = read(output, [1, 3, height, width], data);
  assert.deepEqual(scores, { road: 0.5, sky: 0.5, bar: 0 });
  const [png] = (more["masks"] as unknown as Record<string, string[]>)["o"]!;
  const mask = await decodeImage(new Uint8Array(Buffer.from(png!, "base64")), 1);
  assert.deepEqual([mask.width, mask.height], [8, 8]);
  assert.deepEqual([...mask.data.subarray(0, 8)], [0, 0, 0, 0, 1, 1, 1, 1]);
  mask.release();
});

Deno.test("map: of one channel, of class numbers, and with the classes last", () => {
  const one = Float32Array.from({ length: 128 }, (_, i) => i % 16 < 6 ? 5 : -5);
  const output = { kind: "map", activation: "sigmoid", labels: ["fire"] };
  assert.deepEqual(read(output, [1, 1, 8, 16], one).scores, { fire: 0.25 });
  const numbers = BigInt64Array.from({ length: 128 }, (_, i) => i % 16 < 6 ? 1n : 0n);
  const labels = ["road", "sky"];
  const expected = { road: 0.75, sky: 0.25 };
  assert.deepEqual(read({ kind: "map", labels }, [1, 8, 16], numbers).scores, expected);
  const three = BigInt64Array.from({ length: 128 }, (_, i) => BigInt(i % 4 === 3 ? 2 : i % 2));
  const areas = { "class 0": 0.5, "class 1": 0.25, "class 2": 0.25 };
  for (const shape of [[8, 16], [1, 8, 16], [1, 1, 8, 16]]) {
    assert.deepEqual(read({ kind: "map" }, shape, three).scores, areas, String(shape));
  }
  const last = Float32Array.from(
    { length: 256 },
    (_, i) => Number((i % 32 < 12) === (i % 2 === 1)),
  );
  assert.deepEqual(read({ kind: "map", labels }, [1, 8, 16, 2], last).scores, expected);
});

Deno.test("vector: base64 of float32, of length 1 if wanted", () => {
  const floats = (
    base64: unknown,
  ) => [...new Float32Array(new Uint8Array(Buffer.from(base64 as string, "base64")).buffer)];
  const data = Float32Array.from([3, 4]);
  assert.deepEqual(floats(read({ kind: "vector" }, [1, 2], data).data["o"]), [3, 4]);
  const [x, y] = floats(read({ kind: "vector", normalize: true }, [1, 2], data).data["o"]);
  assert.ok(Math.abs(x! - 0.6) < 1e-6 && Math.abs(y! - 0.8) < 1e-6);
  assert.throws(
    () => read({ kind: "vector" }, [1, 20_000], new Float32Array(20_000)),
    /expected a vector of up to 16384 numbers/,
  );
});

Deno.test("vector: a number that is not finite is refused", () => {
  for (const value of [NaN, Infinity, -Infinity]) {
    assert.throws(() => read({ kind: "vector" }, [1, 2], Float32Array.of(1, value)), {
      reason: "model-output",
      message: `Cannot read output o of shape [1, 2]: expected finite numbers, given ${value}`,
    });
  }
});

Deno.test("map: class numbers that do not fit are refused, not wrapped", () => {
  const of = (labels: number, number: number) =>
    read(
      { kind: "map", labels: Array.from({ length: labels }, (_, i) => `c${i}`) },
      [1, 8, 16],
      new BigInt64Array(128).fill(BigInt(number)),
    ).scores!;
  assert.equal(of(300, 255)["c255"], 1);
  assert.equal(of(300, 255)["c299"], 0);
  for (const number of [256, 257, -1]) {
    assert.throws(() => of(300, number), new RegExp(`numbers from 0 to 255, given ${number}$`));
  }
});

Deno.test("softmax of a single number is 1", () => {
  const output = { kind: "map", activation: "softmax" };
  assert.deepEqual(read(output, [1, 1, 8, 16], new Float32Array(128)).scores, { o: 1 });
});

Deno.test("the frames of a window are its first dimension, or the one after the window's own", () => {
  const rows = Float32Array.from([16, 0, 32, 16, 0.9, 0, 16, 0, 32, 16, 0.8, 1]);
  const cells = Float32Array.from({ length: 64 }, (_, i) => Number((i < 32) === (i % 32 < 16)));
  const outputs: [output: object, shape: number[], data: Float32Array][] = [
    [{ kind: "objects", format: "yolov10" }, [2, 1, 6], rows],
    [{ kind: "keypoints", format: "points", points: ["a", "b"] }, [2, 2, 3], rows],
    [{ kind: "map", labels: ["a", "b"] }, [2, 2, 4, 4], cells],
  ];
  for (const [output, shape, data] of outputs) {
    const [first, second] = read(output, shape, data, 2).frames;
    assert.notDeepEqual(first, second);
    assert.deepEqual(read(output, [1, ...shape], data, 2).frames, [first, second]);
  }
});

Deno.test("a tensor of more dimensions than a map has is refused", () => {
  const map = { kind: "map", labels: ["a", "b"] };
  assert.throws(() => read(map, [2, 2, 2, 2], new Float32Array(16)), /expected a map of 2 or 3/);
});

// 32 pixels of the frame are 8 of the input, which begin at 16.
const points = ["nose", "tail"];

Deno.test("keypoints: of boxes, of a list, of heat maps, in pixels of the frame", () => {
  const row = [32, 16, 16, 16, 0.9, 24, 8, 0.8, 40, 24, 0.7];
  const boxes = Float32Array.from(
    row.flatMap((value) => [value, 0, 0, 0]).concat(new Array(44).fill(0)),
  );
  const pose = { kind: "keypoints", format: "yolov8", labels: ["cat"], points };
  const [found] = read(pose, [1, 11, 8], widened(boxes)).frames[0]!.objects!;
  assert.deepEqual(found, {
    label: "cat",
    score: 0.9,
    box: [32, 32, 96, 96],
    keypoints: [[32, 32, 0.8], [96, 96, 0.7]],
  });
  const list = { kind: "keypoints", format: "points", columns: ["y", "x", "score"], points };
  const flat = Float32Array.from([0.25, 0.375, 0.8, 0.75, 0.625, 0.7]);
  const [body] = read(list, [1, 1, 2, 3], flat).frames[0]!.objects!;
  assert.deepEqual(body, {
    label: "person",
    score: 0.75,
    box: [32, 32, 96, 96],
    keypoints: [[32, 32, 0.8], [96, 96, 0.7]],
  });
  const unknown = Float32Array.from([0.25, NaN, 0.8, 0.75, 0.625, 0.7]);
  const [half] = read(list, [1, 1, 2, 3], unknown).frames[0]!.objects!;
  assert.deepEqual([half!.keypoints, half!.box], [[[0, 0, 0], [96, 96, 0.7]], [96, 96, 96, 96]]);
  const none = read({ ...list, threshold: 0 }, [1, 1, 2, 3], new Float32Array(6).fill(NaN));
  assert.deepEqual(none.frames[0]!.objects, []);
  const maps = new Float32Array(2 * 8 * 16);
  maps[2 * 16 + 6] = 0.8;
  maps[128 + 5 * 16 + 9] = 0.6;
  const heat = { kind: "keypoints", format: "heatmaps", points };
  const [last] = read(heat, [1, 2, 8, 16], maps).frames[0]!.objects!;
  assert.deepEqual(last!.keypoints, [[40, 40, 0.8], [88, 88, 0.6]]);
});

/** Rows of 11 numbers as columns of 8, of which the first is the row. */
function widened(data: Float32Array): Float32Array {
  const wide = new Float32Array(88);
  for (let i = 0; i < 11; i++) wide[i * 8] = data[i * 4]!;
  return wide;
}
