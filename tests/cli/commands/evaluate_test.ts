import assert from "node:assert/strict";
import { join } from "node:path";
import { parseCommand, UsageError } from "../../../cli/command.ts";
import { commands } from "../../../cli/registry.ts";
import { numberedJpeg, orderModel } from "../../queries/operators/model/order_kit.ts";

const evaluate = await commands["evaluate"]!.load();

/** A folder of numbered images: the model's score `last` is the highest number of a window. */
async function makeClip(folder: string, numbers: readonly number[]): Promise<void> {
  await Deno.mkdir(folder, { recursive: true });
  for (const [i, number] of numbers.entries()) {
    await Deno.writeFile(join(folder, `${String(i).padStart(3, "0")}.jpg`), numberedJpeg(number));
  }
}

async function call(options: Record<string, unknown>) {
  const printed: string[] = [], said: string[] = [];
  const code = await evaluate.run({ positionals: [], options: { fps: 10, ...options } }, {
    signal: new AbortController().signal,
    print: (line) => void printed.push(line),
    say: (line) => void said.push(line),
  });
  return { code, printed, said };
}

const quiet = new Array(20).fill(0);

Deno.test("evaluate runs a model over clips and reports, as text, JSON and a picture", async () => {
  const folder = await Deno.makeTempDir();
  try {
    await makeClip(join(folder, "last/a"), [...quiet, 1, 1, 1, 1, 1, 1]);
    await makeClip(join(folder, "last/b"), quiet);
    await makeClip(join(folder, "calm/c"), quiet);
    await makeClip(join(folder, "calm/d"), [...quiet, 1, ...quiet]);
    const options = {
      model: orderModel("nthwc"),
      clips: folder,
      label: "last",
      threshold: 1,
      out: join(folder, "report.json"),
      plot: join(folder, "report.svg"),
    };
    const { code, printed, said } = await call(options);
    assert.equal(code, 0);
    const text = printed.join("\n");
    assert.match(text, /accuracy +50.0 % at 1\n/);
    assert.match(text, /ROC AUC +0.500/);
    assert.match(text, /found +1 of 2, 1 missed/);
    // The windows end at 0.7, 1.0, 1.3, 1.6, 1.9 and 2.2 s: that is the first to see it.
    assert.match(text, /alert delay +p50 2.20 s, p95 2.20 s/);
    assert.match(text, /false alerts +\S+ per camera-hour \(1 in 0.00 hours\)/);
    assert.match(said[0]!, /^1\/4 .*calm\/c quiet: highest score 0.00$/);
    const report = JSON.parse(await Deno.readTextFile(options.out));
    assert.equal(report.evaluation.falseAlerts, 1);
    assert.equal(report.clips[2].points.length, 7);
    const svg = await Deno.readTextFile(options.plot);
    assert.match(svg, /^<svg .*ROC AUC 0.500.*false alerts per hour.*<\/svg>\n$/s);
    assert.doesNotMatch(svg, /NaN|Infinity|undefined/);
    await Deno.writeTextFile(join(folder, "calm/c/003.jpg"), "no image");
    const { printed: json, said: skipped } = await call({ ...options, json: true });
    assert.match(skipped.join(), /calm\/c\/003.jpg was skipped: /);
    assert.equal(JSON.parse(json[0]!).evaluation.accuracy, 0.5);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("a detector's clip has the highest score of its objects, 0 where it finds nothing", async () => {
  const folder = await Deno.makeTempDir();
  try {
    for (const clip of ["person/a", "calm/b"]) await makeClip(join(folder, clip), [0, 0]);
    await Deno.copyFile("tests/queries/operators/stills/astronaut.jpg", `${folder}/person/a/2.jpg`);
    const model = "models/centernet/model.json";
    const { said } = await call({ model, clips: folder, label: "person" });
    assert.match(said.join("\n"), /b quiet: highest score 0.00\n.*a person: highest score 0.6/);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("evaluate says that a model fails on frames, and why", async () => {
  const folder = await Deno.makeTempDir();
  try {
    for (const clip of ["score/a", "calm/b"]) await makeClip(join(folder, clip), [0, 0]);
    await Deno.copyFile("tests/queries/operators/model/shapes/eight.onnx", `${folder}/m.onnx`);
    const input = { name: "image", layout: "NCHW", width: 16, height: 8 };
    const manifest = {
      name: "m",
      file: "m.onnx",
      input,
      outputs: [{ name: "score", kind: "window" }],
    };
    const model = `${folder}/model.json`;
    await Deno.writeTextFile(model, JSON.stringify(manifest));
    const { said, printed } = await call({ model, clips: folder, label: "score" });
    assert.equal(said.length, 4);
    assert.match(
      said.join("\n"),
      /calm\/b: Cannot run the model .*\n1\/2 .*calm\/b quiet: no score\n/s,
    );
    assert.match(printed.join("\n"), /; 4 frames, 4 of them bad\n/);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("evaluate names wrong use", async () => {
  await assert.rejects(
    parseCommand(evaluate, [], () => undefined),
    new UsageError(["Cannot evaluate without --model", "Cannot evaluate without --clips"]),
  );
  const folder = await Deno.makeTempDir();
  const model = orderModel("nthwc");
  await assert.rejects(call({ model, clips: folder, label: "fire" }), (error) => {
    assert.ok(error instanceof UsageError);
    return /Cannot look for "fire": expected --label with one of seen, last/.test(error.message);
  });
  await assert.rejects(call({ model, clips: folder }), /Cannot look for nothing/);
  await assert.rejects(
    call({ model, clips: folder, label: "seen.2" }),
    /^\S+ Cannot use clips .*none$/s,
  );
  await assert.rejects(call({ model, clips: folder, label: "last" }), /found none/);
  await assert.rejects(
    call({ model: "no.json", clips: "none", label: "fire" }),
    (error: UsageError) =>
      /^Cannot use model no.json:\n/.test(error.faults[0]!) &&
      /^Cannot use clips none:\n {2}there is no such file$/.test(error.faults[1]!),
  );
  await Deno.remove(folder);
});
