import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { join } from "node:path";
import { detect } from "../../../../queries/operators/detect.ts";
import { model } from "../../../../queries/operators/model/mod.ts";
import { readOnnx } from "../../../../queries/operators/model/onnx_file.ts";
import { openSession } from "../../../../queries/operators/model/session.ts";
import { tryModel } from "../../../../queries/operators/model/trial.ts";
import {
  encodeJpeg,
  type Finding,
  type Frame,
  type Operator,
  query,
} from "../../../../runtime/mod.ts";
import { collect, MemoryLog, runQuery } from "../../../../runtime/testing.ts";
import { contextOf, frameOf, framesOf, open, run, runWithRestarts } from "../kit.ts";
import { numberedJpeg, orderModel } from "./order_kit.ts";

const file = (name: string) => `${import.meta.dirname}/shapes/${name}`;

/** A manifest for one of the models of `shapes/`, in a folder of their own. */
async function withManifest(
  manifest: Record<string, unknown>,
  work: (path: string) => Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    for await (const { name } of Deno.readDir(new URL("./shapes", import.meta.url))) {
      await Deno.copyFile(file(name), join(folder, name));
    }
    const path = join(folder, "model.json");
    await Deno.writeTextFile(path, JSON.stringify({ name: "m", ...manifest }));
    await work(path);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** A picture of one grey. */
function plain(grey: number, width = 48, height = 24): Promise<Uint8Array> {
  const data = new Uint8Array(width * height).fill(grey);
  return encodeJpeg({ data, width, height, channels: 1 }, { quality: 95 });
}

Deno.test("a model that fails on a frame costs that frame", async () => {
  const log = new MemoryLog();
  await log.createTopic("VideoStreaming", 1);
  const value = await plain(9);
  log.append("VideoStreaming", 0, [{ key: "CAMERA-1", value, timestamp: 0, headers: {} }]);
  const input = { name: "image", layout: "NCHW", width: 16, height: 8 };
  const output = { name: "score", kind: "window" };
  await withManifest({ file: "eight.onnx", input, outputs: [output] }, async (path) => {
    await assert.rejects(tryModel(path), /Cannot run the model .*eight.onnx: Non-zero status code/);
    const definition = query("eight").readStream({ startingOffsets: "earliest" })
      .process(model(path)).writeStream(collect()).trigger("available-now");
    assert.equal((await runQuery(definition, { log })).deadLettered, 1);
  });
});

Deno.test("inputs that take no picture get constants, and boxes may come in pixels of the frame", async () => {
  const input = { name: "image", dtype: "float64", layout: "NCHW", width: 32, height: 32 };
  const output = {
    name: "scores",
    kind: "objects",
    format: "detr",
    boxes: "boxes",
    classes: "labels",
    labels: ["thing"],
  };
  const constants = { orig_target_sizes: "frameSize", iou: 0.5 };
  const manifest = { file: "constants.onnx", input, constants, outputs: [output] };
  await withManifest(manifest, async (path) => {
    const [found] = await run(detect(path), [frameOf(await plain(255))]);
    assert.deepEqual(found!.result!.frames![0]!.objects, [
      { label: "thing", score: 0.5, box: [24, 12, 48, 24] },
    ]);
    const { outputs, result } = await tryModel(path);
    assert.deepEqual(outputs.map(({ dtype }) => dtype), ["float64", "float64", "int64"]);
    assert.equal(result, "0 objects");
  });
  for (const [orig_target_sizes, fits] of [[[1, 2, 3], false], [[0.5, 1], false], [[7, 7], true]]) {
    await withManifest({ ...manifest, constants: { orig_target_sizes, iou: 0.5 } }, (path) => {
      const said =
        /constants.orig_target_sizes: the manifest says \[.*, the file has int64 \[N, 2\]/;
      if (fits) detect(path);
      else assert.throws(() => detect(path), said);
      return Promise.resolve();
    });
  }
  await withManifest({ ...manifest, constants: { iou: 1 } }, (path) => {
    assert.throws(
      () => detect(path),
      /the file needs orig_target_sizes \(int64 \[N, 2\]\), the manifest has it neither as an input/,
    );
    return Promise.resolve();
  });
});

Deno.test("an int8 input takes samples around zero", async () => {
  const input = {
    name: "image",
    dtype: "int8",
    layout: "NHWC",
    width: 8,
    height: 8,
    scale: 1.5,
    mean: [150, 150, 150],
  };
  const outputs = [{ name: "score", kind: "window" }];
  await withManifest({ file: "bytes.onnx", input, outputs }, async (path) => {
    const values = await Promise.all([0, 100, 255].map((grey) => plain(grey)));
    const found = await run<Finding>(model(path), framesOf(values));
    assert.deepEqual(found.map(({ result }) => result.scores), [
      { score: -128 },
      { score: 0 },
      { score: 127 },
    ]);
  });
});

Deno.test("weights beside the model are hashed with it, and must be there", async () => {
  const onnx = readOnnx(file("external.onnx"));
  assert.deepEqual(onnx.external, ["external.bin"]);
  const hash = createHash("sha256");
  for (const name of ["external.onnx", "external.bin"]) hash.update(Deno.readFileSync(file(name)));
  assert.equal(onnx.sha256, hash.digest("hex"));
  const input = { name: "image", layout: "NCHW", width: 8, height: 8 };
  const outputs = [{ name: "score", kind: "window" }];
  const manifest = { file: "external.onnx", sha256: onnx.sha256, input, outputs };
  await withManifest(manifest, async (path) => {
    const [found] = await run<Finding>(model(path), [frameOf(await plain(255))]);
    assert.deepEqual(found!.result.scores, { score: 0.5 });
  });
  const folder = await Deno.makeTempDir();
  try {
    await Deno.copyFile(file("external.onnx"), join(folder, "x.onnx"));
    assert.throws(
      () => readOnnx(join(folder, "x.onnx")),
      /Cannot read weights of .*x.onnx from .*: there is no such file/,
    );
    const other = new Uint8Array(Deno.readFileSync(file("external.bin"))).with(0, 9);
    await Deno.writeFile(join(folder, "external.bin"), other);
    assert.notEqual(readOnnx(join(folder, "x.onnx")).sha256, onnx.sha256);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("a batch that is fixed takes as many frames, and answers for each", async () => {
  const input = { name: "image", layout: "NCHW", frames: 2, width: 8, height: 8 };
  const outputs = [{ name: "out", kind: "objects", format: "yolov10", labels: ["thing"] }];
  await withManifest({ file: "batch.onnx", input, outputs }, async (path) => {
    const values = await Promise.all([0, 255, 102, 153].map((grey) => plain(grey, 16, 16)));
    const found = await run<Finding>(model(path), framesOf(values));
    const objects = found.map(({ result }) => result.frames!.map((frame) => frame.objects));
    const box = [4, 4, 12, 12];
    assert.deepEqual(objects, [
      [[], [{ label: "thing", score: 1, box }]],
      [[{ label: "thing", score: 0.4, box }], [{ label: "thing", score: 0.6, box }]],
    ]);
    assert.throws(() => detect(path), /on single frames: it takes windows of 2 frames/);
  });
});

Deno.test("no rows is an answer: nothing found", async () => {
  const input = { name: "image", layout: "NCHW", width: 8, height: 8 };
  const columns = ["left", "top", "right", "bottom", "score", "class"];
  const output = { name: "out", kind: "objects", format: "rows", columns, units: "pixels" };
  await withManifest({ file: "nms.onnx", input, outputs: [output] }, async (path) => {
    const values = [await plain(0), await plain(255), await plain(0)];
    const found = await run<Frame>(detect(path), framesOf(values));
    const counts = found.map(({ result }) => result!.frames![0]!.objects!.length);
    assert.deepEqual(counts, [0, 2, 0]);
  });
  const labels = ["a", "b", "c", "d", "e", "f"];
  const scores = { name: "out", kind: "window", labels };
  await withManifest({ file: "nms.onnx", input, outputs: [scores] }, async (path) => {
    const { outputs, result } = await tryModel(path);
    assert.deepEqual([outputs[0]!.shape, result], [[0, 6], "nothing found"]);
  });
});

Deno.test("a small state is in the checkpoint: a restart changes no score", async () => {
  const frames = Array.from({ length: 12 }, (_, i) => frameOf(numberedJpeg(i), i, 40 * i));
  const operator = model(orderModel("state"));
  const scores = async (restartAt: number) => {
    let task = await operator.open(contextOf());
    const found = [];
    for (const frame of frames) {
      if (frame.offset === restartAt) {
        const state = task.snapshot!()!;
        await task.close!();
        task = await operator.open({ ...contextOf(), state });
      }
      for (const { result } of await task.process(frame)) found.push(result.scores);
    }
    await task.close!();
    return found;
  };
  const straight = await scores(-1);
  assert.deepEqual(straight.map((score) => score!["runs"]), frames.map((_, i) => i + 1));
  for (const { offset } of frames) assert.deepEqual(await scores(offset), straight);
});

const LATE = {
  file: "late.onnx",
  input: { name: "image", layout: "NCHW", width: 8, height: 8 },
  outputs: [{ name: "score", kind: "window" }],
  state: [{ input: "before", output: "now", dtype: "float32", shape: [1, 4096] }],
};

Deno.test("a large state is rebuilt from as many windows as warmup says, and is in no checkpoint", async () => {
  const values = await Promise.all(Array.from({ length: 12 }, (_, i) => plain(20 * i, 8, 8)));
  const frames = framesOf(values);
  for (const [warmup, lost] of [[0, 1], [1, 0], [3, 0]] as const) {
    await withManifest({ ...LATE, warmup }, async (path) => {
      const operator = model(path) as Operator<Frame, Finding>;
      const straight = await run(operator, frames);
      assert.ok(straight.every(({ result }, i) => (result.scores!["score"]! > 0) === i > 1));
      for (const restart of [2, 5, 11]) {
        const { outputs, replayed } = await runWithRestarts(operator, frames, new Set([restart]));
        const others = outputs.filter(({ result }, i) =>
          result.scores!["score"] !== straight[i]!.result.scores!["score"]
        );
        assert.deepEqual(others.map(({ firstOffset }) => firstOffset), lost ? [restart] : []);
        assert.equal(replayed, Math.min(warmup, restart), `warmup ${warmup}`);
      }
      const task = await open(operator);
      for (const frame of frames) await task.process(frame);
      assert.ok(task.snapshot!()!.length < 1_000);
      await task.close!();
    });
  }
});

Deno.test("models check names what only a run of the model shows", async () => {
  const labels = ["a", "b"];
  await withManifest({ ...LATE, outputs: [{ ...LATE.outputs[0], labels }] }, async (path) => {
    model(path);
    await assert.rejects(
      tryModel(path),
      /Cannot read output score of shape \[1, 1\]: expected 2 values for the window/,
    );
  });
  const columns = ["left", "score", "right", "bottom", "top", "class"];
  const input = { name: "image", layout: "NCHW", width: 8, height: 8, scale: 1 };
  const output = { name: "out", kind: "objects", format: "rows", columns, units: "pixels" };
  await withManifest({ file: "nms.onnx", input, outputs: [output] }, async (path) => {
    const { remarks, result } = await tryModel(path);
    assert.match(remarks.join(), /Objects have scores of up to [2-9].*: expected 0 to 1/, result);
  });
});

Deno.test("a state of another length than the manifest says is refused, not cut", async () => {
  const operator = model(orderModel("state"));
  const task = await operator.open(contextOf());
  await task.process(frameOf(numberedJpeg(1), 0, 0));
  const saved = JSON.parse(new TextDecoder().decode(task.snapshot!()));
  await task.close!();
  for (const bytes of [0, 3, 8]) {
    saved.tensors.sum_in = new Uint8Array(bytes).toBase64();
    const state = new TextEncoder().encode(JSON.stringify(saved));
    await assert.rejects(
      async () => await (await operator.open({ ...contextOf(), state })).close!(),
      {
        code: "CHECKPOINT_CHANGED",
        message: new RegExp(
          `sum_in of model state: the checkpoint holds ${bytes} bytes, .* says 4`,
        ),
      },
    );
  }
});

Deno.test("weights outside the model's folder are refused, wherever in the model they are named", async () => {
  /** A field of Protocol Buffers that holds bytes. */
  const field = (number: number, ...parts: Uint8Array[]): Uint8Array => {
    const content = parts.flatMap((part) => [...part]);
    const varint = (value: number): number[] =>
      value < 128 ? [value] : [value % 128 + 128, ...varint(Math.floor(value / 128))];
    return Uint8Array.from([...varint(number * 8 + 2), ...varint(content.length), ...content]);
  };
  const text = (value: string) => new TextEncoder().encode(value);
  const folder = await Deno.makeTempDir();
  try {
    for (const location of ["../weights.bin", "/etc/passwd", "a/../../b", "a\\..\\..\\b"]) {
      const tensor = field(13, field(1, text("location")), field(2, text(location)));
      const node = field(1, field(5, field(5, tensor)));
      const graphs = {
        "an initializer": field(5, tensor),
        "a sparse one": field(15, field(1, tensor)),
        "a constant": node,
        "a constant of a branch": field(1, field(5, field(6, node))),
        "one of several": field(1, field(5, field(10, tensor))),
      };
      const models = Object.entries(graphs).map(([name, graph]) =>
        [name, field(7, graph)] as const
      );
      const inFunction = new Uint8Array([
        ...field(7),
        ...field(25, field(7, field(5, field(5, tensor)))),
      ]);
      for (const [name, model] of [...models, ["a function", inFunction] as const]) {
        const path = join(folder, "x.onnx");
        await Deno.writeFile(path, model);
        assert.throws(() => readOnnx(path), /expected a file beside it|Cannot read weights/, name);
      }
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("runs share the memory of large outputs, also where a model finds more or less", async () => {
  const session = await openSession(file("bright.onnx"));
  const numbers = (bright: number) =>
    Float32Array.from({ length: 100_000 }, (_, i) => i < bright ? 1 + i : 0);
  for (const bright of [100_000, 100_000, 80_000, 90_000, 0]) {
    const data = numbers(bright);
    const feeds = { numbers: { dtype: "float32", shape: [data.length], data } };
    await session.run(feeds, ["same", "bright"], (outputs) => {
      assert.deepEqual(outputs.get("same")!.data, data);
      assert.deepEqual(outputs.get("bright")!.data, data.slice(0, bright), `${bright} are bright`);
      assert.deepEqual(outputs.get("bright")!.shape, [bright]);
    });
  }
  const kept: unknown[] = [];
  for (const first of [1, 2]) {
    const data = numbers(100_000).fill(first, 0, 1);
    const feeds = { numbers: { dtype: "float32", shape: [data.length], data } };
    const take = (outputs: ReadonlyMap<string, { data: unknown }>) =>
      void kept.push(outputs.get("same")!.data);
    await session.run(feeds, ["same"], take, ["same"]);
  }
  assert.deepEqual(kept.map((data) => (data as Float32Array)[0]), [1, 2]);
  await session.close();
});
