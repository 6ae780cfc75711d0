import assert from "node:assert/strict";
import { draftManifest } from "../../../../queries/operators/model/draft.ts";
import { parseManifest } from "../../../../queries/operators/model/manifest.ts";
import { signatureFaults } from "../../../../queries/operators/model/signature.ts";
import type { OnnxFile, OnnxValue } from "../../../../queries/operators/model/onnx_file.ts";
import { coreMsOf } from "../../../support/core_ms.ts";

type Shape = OnnxValue["shape"];

/** A model with one picture, and what its exporter noted. */
function file(
  outputs: Readonly<Record<string, Shape>>,
  {
    image = [1, 3, 640, 640] as Shape,
    more = {} as Record<string, Shape>,
    metadata = {} as Record<string, string>,
  } = {},
): OnnxFile {
  const values = (shapes: Readonly<Record<string, Shape>>) =>
    Object.entries(shapes).map(([name, shape]): OnnxValue => ({ name, dtype: "float32", shape }));
  return {
    producer: "",
    opset: 17,
    inputs: values({ images: image, ...more }),
    outputs: values(outputs),
    metadata,
    external: [],
    sha256: "0".repeat(64),
    bytes: 1,
  };
}

const KNOWN: readonly [string, OnnxFile, Record<string, unknown>][] = [
  ["YOLOv8", file({ output0: [1, 84, 8400] }), { format: "yolov8", labels: 80 }],
  ["YOLOv8 of free size", file({ output0: ["b", 22, "a"] }, { image: ["b", 3, "h", "w"] }), {
    format: "yolov8",
    labels: 18,
  }],
  ["YOLOv8 with masks", file({ output0: [1, 116, 8400], output1: [1, 32, 160, 160] }), {
    format: "yolov8",
    labels: 80,
  }],
  ["YOLOv5", file({ output: [1, 25200, 85] }), { format: "yolov5", labels: 80 }],
  [
    "YOLOv5 in three tensors",
    file({ a: [1, 3, 80, 80, 85], b: [1, 3, 40, 40, 85], c: [1, 3, 20, 20, 85] }),
    { format: "yolov5", levels: ["a", "b", "c"], labels: 80 },
  ],
  [
    "YOLOv5 in three tensors of planes",
    file({ c: [1, 21, 20, 20], b: [1, 21, 40, 40], a: [1, 21, 80, 80] }),
    { format: "yolov5", levels: ["a", "b", "c"], labels: 2 },
  ],
  ["NanoDet-Plus", file({ output: [1, 3598, 112] }, { image: [1, 3, 416, 416] }), {
    format: "nanodet",
    labels: 80,
  }],
  [
    "NanoDet in six tensors",
    file({
      dis8: [1, 1600, 44],
      cls8: [1, 1600, 6],
      cls16: [1, 400, 6],
      cls32: [1, 100, 6],
      dis16: [1, 400, 44],
      dis32: [1, 100, 44],
    }, { image: [1, 3, 320, 320] }),
    {
      format: "nanodet",
      levels: [["cls8", "dis8"], ["cls16", "dis16"], ["cls32", "dis32"]],
      labels: 6,
    },
  ],
  ["YOLOX", file({ output: [1, 8400, 85] }), { format: "yolox", labels: 80 }],
  ["YOLOv10", file({ output0: [1, 300, 6] }), { format: "yolov10" }],
  ["rows after NMS", file({ output: ["n", 7] }), { format: "rows" }],
  [
    "RT-DETR",
    file({ labels: [1, 300], boxes: [1, 300, 4], scores: [1, 300] }, {
      more: { orig_target_sizes: [1, 2] },
    }),
    { format: "detr", classes: "labels", boxes: "boxes" },
  ],
  ["DETR", file({ logits: [1, 100, 92], pred_boxes: [1, 100, 4] }), {
    format: "detr",
    activation: "softmax",
    labels: 91,
  }],
  ["SSD", file({ scores: [1, 4420, 2], boxes: [1, 4420, 4] }), { format: "ssd", labels: 1 }],
  [
    "SSD of TensorFlow",
    file({
      detection_boxes: [1, 100, 4],
      detection_classes: [1, 100],
      detection_scores: [1, 100],
      num_detections: [1],
    }),
    { format: "ssd", firstClass: 1 },
  ],
  [
    "NMS in tensors",
    file({
      num_dets: [1, 1],
      det_boxes: [1, 100, 4],
      det_scores: [1, 100],
      det_classes: [1, 100],
    }),
    { format: "rows", boxes: "det_boxes", classes: "det_classes" },
  ],
  ["CenterNet", file({ hm: [1, 80, 160, 160], wh: [1, 2, 160, 160], reg: [1, 2, 160, 160] }), {
    format: "centernet",
    boxes: "wh",
    offsets: "reg",
    labels: 80,
  }],
  ["poses", file({ output0: [1, 56, 8400] }, { metadata: { task: "pose" } }), {
    kind: "keypoints",
    labels: 1,
  }],
  [
    "RT-DETR of ultralytics",
    file({ output0: [1, 300, 5] }, { metadata: { names: "{0: 'cat'}" } }),
    { format: "yolov8", units: "fractions", iou: 1, labels: 1 },
  ],
  [
    "RT-DETR of newer ultralytics",
    file({ output0: [1, 300, 6] }, { metadata: { head: "RTDETRDecoder" } }),
    { format: "rows", units: "fractions" },
  ],
  [
    "PaddleDetection",
    file({ out: ["n", 6] }, { more: { im_shape: [1, 2], scale_factor: [1, 2] } }),
    { format: "rows", units: "frame" },
  ],
  ["a map", file({ out: [1, 19, 160, 160] }), { kind: "map", labels: 19 }],
];

for (const [name, onnx, wanted] of KNOWN) {
  Deno.test(`inspect knows ${name} and writes its reader`, () => {
    const { manifest, notes } = draftManifest(onnx, "m", "m.onnx");
    const { labels, ...output } = (manifest["outputs"] as Record<string, unknown>[])[0]!;
    const found = { ...output, labels: (labels as string[] | undefined)?.length };
    for (const [field, value] of Object.entries(wanted)) {
      assert.deepEqual((found as Record<string, unknown>)[field], value, field);
    }
    assert.ok(notes.some((note) => note.startsWith("outputs: they look like")), notes.join());
    const asked = notes.filter((note) => note.startsWith("anchors: they are not in the file"));
    if (asked.length === 0) parseManifest(manifest, "model.json");
    else {
      const accepted = /anchors: expected for each of 3 levels the widths and heights in pixels/;
      assert.throws(() => parseManifest(manifest, "model.json"), accepted);
      const anchors = new Array(3).fill([10, 13, 16, 30, 33, 23]);
      const outputs = [{ ...output, anchors }];
      parseManifest({ ...manifest, outputs }, "model.json");
    }
  });
}

Deno.test("inspect takes labels and size from what the exporter noted", () => {
  const metadata = {
    names: `{0: 'person', 1: "driver's seat"}`,
    imgsz: "[320, 416]",
    task: "detect",
  };
  const free = { image: ["b", 3, "h", "w"] as Shape, metadata };
  const onnx = file({ output0: ["b", 6, "a"] }, free);
  const { manifest, notes } = draftManifest(onnx, "m", "m.onnx");
  const { input, outputs: [output] } = parseManifest(manifest, "model.json") as never as {
    input: undefined;
    outputs: { labels: string[] }[];
  };
  assert.equal(input, undefined);
  assert.deepEqual(output!.labels, ["person", "driver's seat"]);
  assert.ok(!notes.some((note) => note.includes("labels")), notes.join());
  const unnamed = draftManifest({ ...onnx, metadata: {} }, "m", "m.onnx").notes.join();
  assert.match(
    unnamed,
    /outputs: labels in the order of the classes, which the file does not name/,
  );
  const { height, width, pad, resize } = manifest["input"] as Record<string, unknown>;
  assert.deepEqual([height, width, pad, resize], [320, 416, 114, "letterbox"]);
});

Deno.test("inspect reads a hostile file in a moment: odd notes, long names, huge dimensions", () => {
  const notes = [
    { names: "1".repeat(400_000) },
    { names: "{4294967290: 'a', 999999999: 'b'}" },
    { names: "0: '".repeat(100_000) },
    { task: "pose", kpt_shape: "many" },
    { task: "pose", kpt_shape: "[999999999, 3]" },
  ];
  const ms = coreMsOf(() => {
    for (const metadata of notes) {
      const { manifest } = draftManifest(file({ out: [1, 56, 8400] }, { metadata }), "m", "m.onnx");
      assert.ok(JSON.stringify(manifest).length < 100_000);
    }
    for (const rows of [2_000_000_000, 2 ** 53]) {
      const { manifest } = draftManifest(file({ out: [1, rows, 8400] }), "m", "m.onnx");
      assert.ok(JSON.stringify(manifest).length < 100_000);
    }
    const more = { [`${"max".repeat(100_000)}`]: [1] };
    draftManifest(file({ out: ["n", 6] }, { more }), "m", "m.onnx");
  });
  assert.ok(ms < 5_000, `${ms} ms`);
});

Deno.test("inspect gives inputs that take no picture what their names ask for", () => {
  const more = {
    im_shape: [1, 2],
    scale_factor: [1, 2],
    iou_threshold: [1],
    max_output_boxes: [1],
  };
  const { manifest } = draftManifest(file({ out: ["n", 6] }, { more }), "m", "m.onnx");
  assert.deepEqual(manifest["constants"], {
    im_shape: "inputShape",
    scale_factor: "scale",
    iou_threshold: 0.45,
    max_output_boxes: 300,
  });
});

Deno.test("inspect takes a long row for a vector", () => {
  const { manifest } = draftManifest(file({ features: [1, 4096] }), "m", "m.onnx");
  assert.deepEqual(manifest["outputs"], [{ name: "features", kind: "vector" }]);
});

Deno.test("labels that are not as many as a detector's classes are refused", () => {
  for (
    const [labels, shape] of [[2, [1, 7, 8400]], [4, [1, 7, 8400]], [1, [1, 8400, 85]], [2, [
      "N",
      7,
      "A",
    ]]] as const
  ) {
    const onnx = file({ out: [...shape] });
    const { manifest } = draftManifest(onnx, "m", "m.onnx");
    const [output] = manifest["outputs"] as Record<string, unknown>[];
    const wrong = { ...output, labels: Array.from({ length: labels }, (_, i) => `class ${i}`) };
    const parsed = parseManifest({ ...manifest, outputs: [wrong] }, "model.json");
    assert.match(
      signatureFaults(parsed, onnx).join(),
      new RegExp(`labels: the manifest says ${labels} labels, the file has (3|80) classes`),
    );
    assert.deepEqual(signatureFaults(parseManifest(manifest, "model.json"), onnx), []);
  }
});

Deno.test("inspect says what is too much for scores", () => {
  const { notes } = draftManifest(file({ features: [1, 50, 40, 3] }), "m", "m.onnx");
  assert.ok(notes.some((note) => /output features .*: 6000 values are too many/.test(note)));
});
