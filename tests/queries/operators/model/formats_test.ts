import assert from "node:assert/strict";
import { ManifestError, parseManifest } from "../../../../queries/operators/model/manifest.ts";

const INPUT = { name: "i", layout: "NCHW", height: 32, width: 32 };

function faultsOf(fields: object): readonly string[] {
  try {
    parseManifest({ name: "m", file: "m.onnx", ...fields }, "model.json");
    return [];
  } catch (error) {
    assert.ok(error instanceof ManifestError, `threw ${error}`);
    return error.faults;
  }
}

Deno.test("a field that a format does not read is refused", () => {
  const faults = (output: object) =>
    faultsOf({ input: INPUT, outputs: [{ name: "o", ...output }] });
  const columns = ["left", "top", "right", "bottom"];
  const unread: [formats: string, field: object][] = [
    ["yolov5 yolov8 yolox nanodet centernet yolov10", { columns }],
    ["yolov5 yolov8 yolox nanodet centernet", { firstClass: 1 }],
    ["yolov5 yolov8 yolox nanodet", { boxes: "b" }],
    ["yolov8 yolov10 yolox nanodet ssd detr centernet rows", { anchors: [[10, 13]] }],
    ["yolov5 yolov8 yolov10 nanodet ssd detr centernet rows", { decoded: true }],
    ["yolov5 yolov8 yolov10 yolox nanodet ssd detr rows", { offsets: "f" }],
  ];
  for (const [formats, field] of unread) {
    for (const format of formats.split(" ")) {
      const isApart = ["ssd", "detr", "centernet"].includes(format);
      const needed = {
        ...(isApart ? { boxes: "b" } : {}),
        ...(format === "rows" ? { columns } : {}),
      };
      assert.deepEqual(faults({ kind: "objects", format, scores: "s", ...needed }), [], format);
      const [fault, ...more] = faults({ kind: "objects", format, ...needed, ...field });
      assert.match(fault!, /^outputs\[0\]\.\w+: unknown; expected name, kind, format/, format);
      assert.deepEqual(more, []);
    }
  }
  const objects = (output: object) => faults({ kind: "objects", ...output }).join();
  for (const format of ["yolox", "nanodet", "centernet"]) {
    const boxes = format === "centernet" ? { boxes: "b" } : {};
    assert.match(objects({ format, ...boxes, units: "fractions" }), /units: expected pixels or f/);
    assert.equal(objects({ format, ...boxes, units: "pixels" }), "");
  }
  assert.equal(objects({ format: "yolox", decoded: true, units: "fractions" }), "");
  const raw = { format: "yolov5", anchors: [[1, 2], [3, 4], [5, 6]] };
  assert.match(objects({ ...raw, units: "fractions" }), /units: expected pixels or frame, given/);
  assert.match(
    objects({ ...raw, activation: "none" }),
    /activation: expected sigmoid, given "none"/,
  );
  assert.match(
    objects({ format: "rows", columns, classes: "c" }),
    /boxes: expected the name of the/,
  );
  const body = { kind: "keypoints", points: ["nose"] };
  for (
    const [format, field] of [["heatmaps", "units"], ["heatmaps", "iou"], ["points", "maxObjects"]]
  ) {
    assert.match(faults({ ...body, format, [field!]: 1 }).join(), /: unknown; expected name, kind/);
  }
  assert.match(
    faults({ ...body, format: "points", labels: ["a", "b"] }).join(),
    /expected one label/,
  );
});

Deno.test("what is of a letterbox alone is refused without one", () => {
  const outputs = [{ name: "o", kind: "vector" }];
  for (const field of [{ pad: 114 }, { align: "start" }]) {
    assert.match(
      faultsOf({ input: { ...INPUT, ...field }, outputs }).join(),
      /^input.(pad|align): unknown unless resize is letterbox$/,
    );
    const input = { ...INPUT, resize: "letterbox", ...field };
    assert.deepEqual(faultsOf({ input, outputs }), []);
  }
});
