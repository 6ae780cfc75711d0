import assert from "node:assert/strict";
import fc from "fast-check";
import { coreMsOf } from "../../../support/core_ms.ts";
import {
  ManifestError,
  parseManifest,
  readManifest,
} from "../../../../queries/operators/model/manifest.ts";

const GOOD = {
  name: "violence",
  version: "2",
  file: "x.onnx",
  sha256: "a".repeat(64),
  licence: "MIT",
  source: "https://example.org",
  input: {
    name: "frames",
    dtype: "float32",
    layout: "NTHWC",
    frames: 16,
    height: 224,
    width: 200,
    color: "BGR",
    resize: "crop",
    scale: 0.01,
    mean: [0, 1, 2],
    std: [1, 2, 3],
  },
  sampling: { fps: 8 },
  hop: 8,
  keep: [2, 14],
  outputs: [
    { name: "scores", kind: "window", activation: "softmax", labels: ["calm", "violence"] },
    { name: "cuts", kind: "frame" },
  ],
  state: [{ input: "s0", output: "s0_out", dtype: "float32", shape: [1, 8] }],
  alert: {
    label: "violence",
    enter: 0.6,
    exit: 0.4,
    of: [2, 3],
    smoothing: 0.6,
    cooldownMs: 10_000,
  },
};

function faultsOf(json: unknown): readonly string[] {
  try {
    parseManifest(json, "models/violence/model.json");
    return [];
  } catch (error) {
    assert.ok(error instanceof ManifestError, `threw ${error}`);
    assert.match(error.message, /^Cannot use model models\/violence\/model.json:\n {2}/);
    return error.faults;
  }
}

/** A copy with one field replaced (or removed, for undefined); the path is separated by dots. */
function withField(path: string, value: unknown): unknown {
  const copy = structuredClone(GOOD) as unknown as Record<string, unknown>, names = path.split(".");
  let at = copy;
  for (const name of names.slice(0, -1)) at = at[name] as Record<string, unknown>;
  if (value === undefined) delete at[names.at(-1)!];
  else at[names.at(-1)!] = value;
  return copy;
}

Deno.test("a whole manifest is taken as it is", () => {
  const { inputs, frames, ...rest } = parseManifest(GOOD, "models/violence/model.json");
  const { input, file: _, ...same } = GOOD;
  assert.deepEqual(inputs, [{ ...input, align: "center", pad: 0 }]);
  assert.equal(frames, 16);
  const outputs = [GOOD.outputs[0], { ...GOOD.outputs[1], activation: "none" }];
  const added = { constants: {}, warmup: 0 };
  assert.deepEqual(rest, { ...same, ...added, file: "models/violence/x.onnx", outputs });
});

Deno.test("a manifest may leave out what has a default", () => {
  const manifest = parseManifest({
    name: "n",
    file: "x.onnx",
    input: { name: "i", layout: "NCHW", height: 8, width: 9 },
    ...{ outputs: [{ name: "o", kind: "window" }], state: [] },
  }, "model.json");
  assert.deepEqual(manifest, {
    name: "n",
    file: "x.onnx",
    inputs: [{
      name: "i",
      dtype: "float32",
      layout: "NCHW",
      frames: 1,
      height: 8,
      width: 9,
      color: "RGB",
      resize: "fill",
      align: "center",
      pad: 0,
      scale: 1 / 255,
      mean: [0, 0, 0],
      std: [1, 1, 1],
    }],
    constants: {},
    frames: 1,
    hop: 1,
    keep: [0, 1],
    outputs: [{ name: "o", kind: "window", activation: "none" }],
    state: [],
    warmup: 0,
  });
  const grey = { name: "i", layout: "NHWC", height: 8, width: 9, color: "GRAY", dtype: "uint8" };
  const ofType = (dtype: string, more = {}) => {
    const input = { ...grey, dtype, ...more };
    const { inputs } = parseManifest({ ...GOOD, keep: [0, 1], hop: 1, input }, "model.json");
    return [inputs[0]!.scale, inputs[0]!.mean, inputs[0]!.std];
  };
  assert.deepEqual(ofType("uint8"), [1, [0], [1]]);
  assert.deepEqual(ofType("float16"), [1 / 255, [0], [1]]);
  assert.deepEqual(ofType("int8"), [1, [128], [1]]);
  assert.deepEqual(ofType("int8", { scale: 0.5 }), [0.5, [0], [1]]);
});

Deno.test("an alert may watch any value that an output will have", () => {
  const faults = (label: string) => faultsOf({ ...GOOD, alert: { ...GOOD.alert, label } });
  assert.deepEqual(["violence", "cuts", "cuts.3"].flatMap(faults), []);
  const map = { name: "road", kind: "map", labels: ["car", "lane"] };
  const ofMap = (label: string) =>
    faultsOf({ ...GOOD, outputs: [map], alert: { ...GOOD.alert, label } });
  assert.deepEqual(ofMap("lane"), []);
  assert.match(ofMap("lame").join(), /^alert.label: expected a label of an output \(car, lane\)/);
  const faultsFor = (output: object, label: string) =>
    faultsOf({ ...GOOD, outputs: [{ name: "o", ...output }], alert: { label } }).join();
  const objects = { kind: "objects", format: "yolov8" };
  const body = { kind: "keypoints", format: "yolov8", points: ["nose"] };
  assert.equal(faultsFor(objects, "class 7"), "");
  assert.match(faultsFor(objects, "o"), /expected a label of an output \(class 0\), given "o"/);
  assert.deepEqual(
    [
      faultsFor(body, "person"),
      faultsFor({ kind: "map" }, "class 3"),
      faultsFor({ kind: "map" }, "o"),
    ],
    ["", "", ""],
  );
  assert.match(faultsFor({ kind: "vector" }, "o"), /expected a label of an output \(\), given "o"/);
});

const BAD: readonly [string, unknown, RegExp][] = [
  ["name", undefined, /^name: expected text that is not empty, given nothing$/],
  ["name", "", /^name: expected text that is not empty, given ""$/],
  ["version", 2, /^version: expected text that is not empty, given 2$/],
  ["file", undefined, /^file: expected text/],
  ["file", "/models/x.onnx", /^file: expected a file in the folder of the manifest, or below it/],
  ["file", "../x.onnx", /^file: expected a file in the folder of the manifest, or below it/],
  ["file", "a/../../x.onnx", /^file: expected a file in the folder of the manifest, or below it/],
  ["sha256", "abc", /^sha256: expected 64 hexadecimal digits, given "abc"$/],
  ["hopp", 8, /^hopp: unknown; expected name, version, file, /],
  ["input", undefined, /^input: expected an object with name, dtype, .*, given nothing$/],
  ["input", [], /^input: expected a list with at least one entry, given \[\]$/],
  ["input.name", 7, /^input.name: expected text that is not empty, given 7$/],
  ["input.dtype", "bfloat16", /^input.dtype: expected float32, uint8, float16, float64 or int8, /],
  ["input.layout", "NTWHC", /^input.layout: expected NTHWC, NTCHW, NCTHW, NHWC or NCHW, give/],
  ["input.layout", undefined, /^input.layout: .*, given nothing$/],
  ["input.frames", undefined, /^input.frames: expected a whole number from 1 to 4096, given noth/],
  ["input.frames", 2.5, /^input.frames: expected a whole number from 1 to 4096, given 2.5$/],
  ["input.height", 0, /^input.height: expected a whole number from 1 to 8192, given 0$/],
  ["input.width", "224", /^input.width: expected a whole number from 1 to 8192, given "224"$/],
  ["input.color", "YUV", /^input.color: expected RGB, BGR or GRAY, given "YUV"$/],
  ["input.resize", "stretch", /^input.resize: expected fill, letterbox or crop, given "stre/],
  ["input.scale", 0, /^input.scale: expected a number above 0, at most 1000000, given 0$/],
  ["input.mean", [0, 0], /^input.mean: expected a list of 3 numbers, one for each colour, given/],
  ["input.std", [1, 0, 1], /^input.std: expected a list of 3 numbers above 0, one for each colou/],
  ["input.crop", true, /^input.crop: unknown; expected name, dtype, layout, /],
  ["sampling", {}, /^sampling: expected either fps or every, given {}$/],
  ["sampling", { fps: 8, every: 2 }, /^sampling: expected either fps or every, given {"fps":8,/],
  ["sampling.fps", -1, /^sampling.fps: expected a number above 0, at most 1000, given -1$/],
  ["sampling.step", 2, /^sampling.step: unknown; expected fps, every$/],
  ["hop", 0, /^hop: expected a whole number from 1 to 100000, given 0$/],
  ["keep", [4, 2], /^keep: expected \[from, to\] with 0 ≤ from < to ≤ 16, the frames of a win/],
  ["keep", [0, 17], /^keep: .* given \[0,17\]$/],
  ["keep", [0], /^keep: .* given \[0\]$/],
  ["keep", [-1, 8], /^keep: .* given \[-1,8\]$/],
  ["keep", [0, 7.5], /^keep: .* given \[0,7.5\]$/],
  ["constants", [1], /^constants: expected an object with a value for each input, given \[1\]$/],
  ["constants", null, /^constants: expected an object with a value for each input, given null$/],
  ["constants", 5, /^constants: expected an object with a value for each input, given 5$/],
  [
    "constants",
    { x: "size" },
    /^constants.x: expected frameSize, .*, scale, a number or a list of/,
  ],
  ["constants", { x: [] }, /^constants.x: .* a number or a list of numbers, given \[\]$/],
  ["constants", { x: [1, "2"] }, /^constants.x: .* a list of numbers, given \[1,"2"\]$/],
  ["constants", { frames: 1 }, /^input names: expected different names, given "frames" twice$/],
  ["outputs", undefined, /^outputs: expected a list with at least one entry, given nothing$/],
  ["outputs", [], /^outputs: expected a list with at least one entry, given \[\]$/],
  [
    "outputs.0.kind",
    "clip",
    /^outputs\[0\].kind: expected one of window, frame, .*, given "clip"$/,
  ],
  ["outputs.0.activation", "relu", /^outputs\[0\].activation: expected none, sigmoid or soft/],
  ["outputs.0.labels", ["a", "a"], /^outputs\[0\].labels: expected different .*, given "a" twice$/],
  ["outputs.0.label", "a", /^outputs\[0\].label: unknown; expected name, kind, activati/],
  ["outputs.1.name", "scores", /^output names: expected different names, given "scores" twice$/],
  ["state.0.shape", [1, 0], /^state\[0\].shape: expected a list of whole numbers from 1 up, at mo/],
  ["state.0.shape", [70_000, 70_000], /^state\[0\].shape: .*, at most 268435456 values in all/],
  [
    "input.frames",
    4096,
    /^input.frames: expected at most 268435456 samples in all, given 550502400$/,
  ],
  ["state.0.dtype", "float", /^state\[0\].dtype: expected float32, float16, int32, int64/],
  ["state.0.output", undefined, /^state\[0\].output: expected text that is not empty, given n/],
  ["state.0.input", "frames", /^input names: expected different names, given "frames" twice$/],
  ["alert.label", "fire", /^alert.label: expected a label of an output \(calm, violence, cuts\)/],
  ["alert.label", undefined, /^alert.label: expected text that is not empty, given nothing$/],
  ["alert.enter", 60, /^alert.enter: expected a number from 0 to 1, given 60$/],
  ["alert.exit", 0.7, /^alert.exit: expected a number up to enter, which is 0.6, given 0.7$/],
  ["alert.of", [3, 2], /^alert.of: expected \[k, n\] with whole numbers 1 ≤ k ≤ n ≤ 1000, given/],
  ["alert.smoothing", 1, /^alert.smoothing: expected a number from 0 to below 1, given 1$/],
  ["alert.cooldownMs", -5, /^alert.cooldownMs: expected a number from 0 up, given -5$/],
  ["alert.cooldown", 5, /^alert.cooldown: unknown; expected label, enter, exit, of, /],
];

for (const [path, value, fault] of BAD) {
  Deno.test(`a manifest with ${path} ${JSON.stringify(value) ?? "left out"} is refused`, () => {
    const faults = faultsOf(withField(path, value));
    assert.ok(faults.some((one) => fault.test(one)), faults.join("\n"));
    assert.ok(faults.length <= 2, faults.join("\n"));
  });
}

Deno.test("columns that leave out a side of a box, or a place of a point, are refused", () => {
  const faults = (output: object) =>
    faultsOf({ ...GOOD, outputs: [{ name: "o", ...output }], alert: undefined });
  const box = ["left", "top", "width", "height", "score"];
  const rows = (columns: readonly string[]) => faults({ kind: "objects", format: "rows", columns });
  for (const side of box.slice(0, 4)) {
    const [fault, ...more] = rows(box.filter((column) => column !== side));
    assert.match(
      fault!,
      /^outputs\[0\].columns: expected left and right, x and width, .*, given \[/,
    );
    assert.deepEqual(more, []);
  }
  assert.deepEqual([box, ["y", "x", "height", "width"]].flatMap(rows), []);
  const points = { kind: "keypoints", format: "points", points: ["nose"] };
  for (const columns of [["score"], ["x", "score"]]) {
    assert.match(faults({ ...points, columns })[0]!, /columns: expected x and y among them, given/);
  }
});

Deno.test("What is not an object is refused", () => {
  for (const json of [null, 7, "model", [GOOD]]) {
    assert.match(
      faultsOf(json)[0]!,
      /^model.json: expected an object with name, version, .*, given /,
    );
  }
});

Deno.test("all faults are reported together", () => {
  const unknown = { ...GOOD.input, layout: "X", frames: undefined };
  assert.ok(!faultsOf({ ...GOOD, input: unknown }).join().includes("input.frames"));
  const bad = { ...GOOD, name: 1, hop: 0, input: { ...GOOD.input, color: "X", std: 1 } };
  assert.deepEqual(faultsOf(bad).map((fault) => fault.split(":")[0]), [
    "input.color",
    "input.std",
    "name",
    "hop",
  ]);
});

Deno.test("inputs of one window must divide it", () => {
  const input = [{ ...GOOD.input, frames: 6 }, { ...GOOD.input, name: "fast", frames: 16 }];
  assert.match(faultsOf({ ...GOOD, input })[0]!, /^input\[0\].frames: expected a divisor of .* 16/);
});

Deno.test("whatever a manifest holds, it is taken or refused with faults", () => {
  const anything = fc.anything({ maxDepth: 2 });
  const fields = ["name", "input", "sampling", "hop", "keep", "outputs", "state", "alert"];
  fc.assert(
    fc.property(fc.dictionary(fc.constantFrom(...fields), anything), (change) => {
      faultsOf({ ...GOOD, ...change });
      faultsOf({ ...GOOD, input: { ...GOOD.input, ...change } });
    }),
    { numRuns: 500 },
  );
});

Deno.test("a manifest that is missing or no JSON is refused", async () => {
  assert.throws(
    () => readManifest("no/model.json"),
    /Cannot use model no\/model.json:\n {2}there is no such file$/,
  );
  const path = await Deno.makeTempFile();
  await Deno.writeTextFile(path, "{ name");
  assert.throws(() => readManifest(path), /expected JSON: /);
  await Deno.remove(path);
});

Deno.test("an output may have 100,000 labels: the work does not grow with their square", () => {
  const labels = ["violence", ...Array.from({ length: 99_999 }, (_, i) => `label ${i}`)];
  const ms = coreMsOf(() => assert.deepEqual(faultsOf(withField("outputs.0.labels", labels)), []));
  assert.ok(ms < 1_500, `${ms} ms of a core`);
});
