import assert from "node:assert/strict";
import type { ModelTensor } from "../../../../queries/operators/model/session.ts";
import { read } from "./readers_kit.ts";

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
