import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { MOST_SCORES } from "../../../../queries/operators/model/readers/scores.ts";
import { type BadFrameError, decodeImage } from "../../../../runtime/mod.ts";
import { read } from "./readers_kit.ts";

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
