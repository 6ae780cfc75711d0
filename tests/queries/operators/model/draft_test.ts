import assert from "node:assert/strict";
import {
  draftManifest,
  type OnnxFile,
  type OnnxValue,
  parseManifest,
  readManifest,
  readOnnx,
} from "../../../../queries/operators/model/mod.ts";
import { signatureFaults } from "../../../../queries/operators/model/signature.ts";
import { orderModel } from "./order_kit.ts";

function fileOf(inputs: readonly OnnxValue[], outputs: readonly OnnxValue[]): OnnxFile {
  return {
    metadata: {},
    external: [],
    producer: "",
    opset: 18,
    sha256: "0".repeat(64),
    bytes: 1,
    inputs,
    outputs,
  };
}

const float = (name: string, ...shape: (number | string)[]) => ({ name, dtype: "float32", shape });

Deno.test("a draft of any of the models fits its file", () => {
  const names = ["nthwc", "ntchw", "ncthw", "nhwc", "nchw", "bytes", "halves", "state", "two"];
  for (const name of names) {
    const file = readOnnx(orderModel(name).replace(/json$/, "onnx"));
    const { manifest } = draftManifest(file, name, `${name}.onnx`);
    const parsed = parseManifest(manifest, "model.json");
    assert.deepEqual(signatureFaults(parsed, file), [], name);
    const real = readManifest(orderModel(name));
    assert.deepEqual(
      parsed.inputs.map(({ layout, frames }) => [layout, frames]),
      real.inputs.map(({ layout, frames }) => [layout, frames]),
    );
    assert.deepEqual(parsed.state, real.state, name);
  }
});

Deno.test("a draft fills free dimensions and says so", () => {
  const file = fileOf([float("x", "N", "C", "T", "H", "W")], [float("y", "N", 400)]);
  assert.throws(
    () => draftManifest(file, "m", "m.onnx"),
    /takes no pictures: expected an input of 4 or 5 .* given x \(float32 \[N, C, T, H, W\]\)/,
  );
  const known = fileOf([float("x", "N", 3, "T", "H", 200)], [float("y", "N", 5)]);
  const { manifest, notes } = draftManifest(known, "m", "m.onnx");
  const { layout, frames, height, width } = parseManifest(manifest, "model.json").inputs[0]!;
  assert.deepEqual([layout, frames, height, width], ["NCTHW", 16, 224, 200]);
  assert.match(notes.join("\n"), /x: T is free in the file, 16 is a guess/);
  assert.deepEqual(manifest["outputs"], [{
    name: "y",
    kind: "window",
    activation: "none",
    labels: ["class 0", "class 1", "class 2", "class 3", "class 4"],
  }]);
});

Deno.test("a draft leaves out what no reader reads, and gives no two outputs the same labels", () => {
  const text = { name: "label", dtype: "string", shape: [1] };
  const maps = { name: "all", dtype: "sequence", shape: undefined };
  const file = fileOf([float("x", 1, 3, 8, 8)], [text, float("y", 1, 2), maps]);
  const { manifest, notes } = draftManifest(file, "m", "m.onnx");
  assert.deepEqual((manifest["outputs"] as { name: string }[]).map(({ name }) => name), ["y"]);
  assert.match(
    notes.join("\n"),
    /outputs skipped, .*: label \(string \[1\]\), all \(sequence any shape\)/,
  );
  const asking = fileOf([float("x", 1, 3, 8, 8), float("mystery", 3)], [float("y", 1, 2)]);
  const asked = draftManifest(asking, "m", "m.onnx");
  assert.match(
    asked.notes.join(),
    /input mystery \(float32 \[3\]\) takes no pictures .*: set its val/,
  );
  assert.equal(asked.manifest["constants"], undefined);
  const several = fileOf([float("x", 1, 3, 8, 8)], [float("y", 1, 2), float("z", 1, 2)]);
  const drafted = draftManifest(several, "m", "m.onnx").manifest, { outputs } = drafted;
  const alike = ["y", "z"].map((name) => ({ name, kind: "window", labels: ["a"] }));
  assert.throws(
    () => parseManifest({ ...drafted, outputs: alike }, "model.json"),
    /labels of outputs: expected different names, given "a" twice/,
  );
  assert.deepEqual((outputs as { labels?: string[] }[]).map(({ labels }) => labels), [
    undefined,
    undefined,
  ]);
  assert.throws(
    () => draftManifest(fileOf([float("x", 1, 3, 8, 8)], [text]), "m", "m.onnx"),
    /model without numbers: expected an output .* given label \(string \[1\]\)/,
  );
});

Deno.test("states are paired by name, also those that look like pictures", () => {
  const preset = new URL("../../../../models/presets/movinet_a0_stream.json", import.meta.url);
  const { state, inputs } = readManifest(preset);
  assert.equal(state.length, 43);
  const value = (name: string, { dtype, shape }: typeof state[number]) => ({ name, dtype, shape });
  const file = fileOf(
    [float("image", 1, 1, 172, 172, 3), ...state.map((each) => value(each.input, each))],
    [...state.map((each) => value(each.output, each)).reverse(), float("logits", 1, 600)],
  );
  const { manifest, notes } = draftManifest(file, "m", "m.onnx");
  assert.doesNotMatch(notes.join(), /takes no pictures|outputs skipped/);
  const draft = parseManifest(manifest, "model.json");
  assert.deepEqual(draft.state, state);
  assert.deepEqual(draft.inputs.map(({ name, layout }) => [name, layout]), [["image", "NTHWC"]]);
  assert.deepEqual(draft.inputs.map(({ name }) => name), inputs.map(({ name }) => name));
  // A model that gives the picture back is fed with it all the same.
  const echo = fileOf([float("image", 1, 3, 64, 64)], [float("image_out", 1, 3, 64, 64)]);
  const drafted = draftManifest(echo, "m", "m.onnx").manifest;
  assert.equal((drafted["input"] as { layout: string }).layout, "NCHW");
});

Deno.test("presets are manifests, and say where their weights are had", async () => {
  const folder = new URL("../../../../models/presets/", import.meta.url);
  const names: string[] = [];
  for await (const { name } of Deno.readDir(folder)) {
    const { source, licence } = readManifest(new URL(name, folder));
    assert.match(source ?? "", /^https:\/\//, name);
    assert.ok(licence, name);
    names.push(name);
  }
  assert.deepEqual(names.sort(), [
    "efficientdet_d0.json",
    "movinet_a0_stream.json",
    "nanodet_plus_m.json",
    "pp_tsm.json",
    "rtdetr_r18.json",
    "ssd_mobilenet_v1.json",
    "transnetv2.json",
    "videomae_base.json",
    "x3d_s.json",
    "x3d_xs.json",
    "yolo11n.json",
    "yolov10n.json",
    "yolov5n.json",
    "yolov8n.json",
    "yolov9t.json",
    "yolox_tiny.json",
  ]);
});
