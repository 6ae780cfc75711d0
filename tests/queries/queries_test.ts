import assert from "node:assert/strict";
import action from "../../queries/action.ts";
import count from "../../queries/count.ts";
import detect from "../../queries/detect.ts";
import greyscale from "../../queries/greyscale.ts";
import motion from "../../queries/motion.ts";
import objects from "../../queries/objects.ts";
import passthrough from "../../queries/passthrough.ts";
import tamper from "../../queries/tamper.ts";
import {
  type Finding,
  type Frame,
  inspectImage,
  type Output,
  type QueryDefinition,
} from "../../runtime/mod.ts";
import { collect, MemoryLog, runQuery } from "../../runtime/testing.ts";
import { jpegOf } from "../runtime/image/fixtures.ts";
import { numberedJpeg, orderModel } from "./operators/model/order_kit.ts";

async function outputsOf<T = Output>(
  definition: QueryDefinition,
  values: readonly Uint8Array[],
): Promise<T[]> {
  const log = new MemoryLog();
  await log.createTopic("VideoStreaming", 1);
  const records = values.map((value, i) => ({ key: null, value, timestamp: 100 * i, headers: {} }));
  log.append("VideoStreaming", 0, records);
  const sink = collect<T>();
  await runQuery(definition, {
    log,
    overrides: {
      sinks: [sink as never],
      source: { startingOffsets: "earliest" },
      trigger: { kind: "available-now" },
    },
  });
  return sink.outputs;
}

const values = Array.from({ length: 12 }, (_, i) => jpegOf(160, 120, 20 * i));
const upTo = (count: number) => Array.from({ length: count }, (_, i) => i);

for (const definition of [passthrough, greyscale, motion, tamper, objects(), detect(), count()]) {
  const { name } = definition.plan;
  Deno.test(`query ${name} gives a picture for every frame, in order`, async () => {
    const outputs = await outputsOf<Frame>(definition, values);
    assert.deepEqual(outputs.map(({ offset }) => offset), upTo(12));
    for (const { value, result } of outputs) {
      const { width, height, components } = inspectImage(value);
      assert.deepEqual([width, height, components], [160, 120, name === "greyscale" ? 1 : 3]);
      assert.equal(result !== undefined, !["passthrough", "greyscale"].includes(name));
    }
    assert.match(definition.explain(), new RegExp(`^query ${name}\n.*\n  (${name}|detect)`));
  });
}

Deno.test("query objects says when its model knows no object of the label to alert on", () => {
  assert.deepEqual(objects({ label: "dog" }).plan.operators.at(-1)!.remarks, []);
  const [remark] = objects({ label: "unicorn" }).plan.operators.at(-1)!.remarks!;
  assert.match(
    remark!,
    /^Query objects never alerts on unicorn: the model knows person, .*--set label=/,
  );
});

Deno.test("queries use the manifest's alert and threshold, or say that they do not", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const [models, model] = ["models/centernet", `${folder}/model.json`];
    await Deno.copyFile(`${models}/centernet.onnx`, `${folder}/centernet.onnx`);
    const manifest = JSON.parse(await Deno.readTextFile(`${models}/model.json`));
    const alert = { label: "dog", enter: 0.7, exit: 0.3, of: [2, 3] };
    await Deno.writeTextFile(model, JSON.stringify({ ...manifest, alert }));
    const alertsOf = (more = {}) => {
      const { name, settings } = objects({ model, ...more }).plan.operators.at(-1)!;
      return `${name} ${settings}`;
    };
    assert.equal(alertsOf(), "alerts(dog) enter=0.7 exit=0.3 of=2/3");
    assert.equal(alertsOf({ label: "cat", enter: 0.5 }), "alerts(cat) enter=0.5 exit=0.3 of=2/3");
    assert.equal(alertsOf({ enter: 0.2 }), "alerts(dog) enter=0.2 exit=0.2 of=2/3");
    const [output] = manifest.outputs;
    const settingsOf = async (threshold: number) => {
      const outputs = [{ ...output, threshold }];
      await Deno.writeTextFile(model, JSON.stringify({ ...manifest, alert, outputs }));
      return count({ model }).plan.operators[1]!.settings;
    };
    assert.equal(await settingsOf(0.6), "sure=0.25 begin=0.6 lostMs=1000");
    assert.equal(await settingsOf(0.2), "sure=0.25 begin=0.35 lostMs=1000");
    for (const other of [detect, count]) {
      const remarks = other({ model }).plan.operators[0]!.remarks!;
      assert.match(
        remarks.join(),
        /raises no alert: that of model centernet is for action and obj/,
      );
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("queries for detectors refuse a model of scores, and say which query takes it", () => {
  for (const [name, made] of Object.entries({ objects, detect, count })) {
    assert.throws(() => made({ model: orderModel("nthwc") }), {
      name: "RangeError",
      message: `Query ${name} cannot use model nthwc: its outputs are frame, window, expected ` +
        "objects or keypoints; query action accepts scores",
    });
  }
});

Deno.test("query action runs the model that it is given, and writes what it says", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const manifest = JSON.parse(await Deno.readTextFile(orderModel("nthwc")));
    const file = orderModel("nthwc").replace(/json$/, "onnx");
    const alert = { label: "last", enter: 1, exit: 0.5 };
    await Deno.writeTextFile(
      `${folder}/model.json`,
      JSON.stringify({ ...manifest, file: "x.onnx", alert }),
    );
    await Deno.copyFile(file, `${folder}/x.onnx`);
    const numbers = Array.from({ length: 14 }, (_, i) => numberedJpeg(i < 11 ? 0 : i));
    const outputs = await outputsOf<Finding>(action({ model: `${folder}/model.json` }), numbers);
    assert.deepEqual(outputs.map(({ result }) => result.scores), [
      { last: 0 },
      { last: 0 },
      { last: 13 },
      undefined,
    ]);
    assert.deepEqual(outputs.map(({ result }) => result.alert?.state), [
      undefined,
      undefined,
      "start",
      "end",
    ]);
    assert.equal(outputs[2]!.picture!.value, numbers[13]);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
  assert.throws(() => action({}), /Query action needs a model: expected --model with the path/);
});
