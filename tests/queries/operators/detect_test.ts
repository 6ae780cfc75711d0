import assert from "node:assert/strict";
import sharp from "sharp";
import { detect } from "../../../queries/operators/detect.ts";
import { BadFrameError, decodeImage, type Frame } from "../../../runtime/mod.ts";
import { frameOf, open, run } from "./kit.ts";
import { orderModel } from "./model/order_kit.ts";
import reference from "./objects_reference.json" with { type: "json" };

const still = (name: string) => Deno.readFile(new URL(`./stills/${name}`, import.meta.url));

const found = (frame: Frame) => frame.result!.frames![0]!.objects!;

Deno.test("detect finds what the reference finds, within a pixel and 1e-3", async () => {
  for (const { file, objects: expected } of reference) {
    const [output] = await run(detect(), [frameOf(await still(file))]);
    const actual = found(output!);
    assert.deepEqual(actual.map(({ label }) => label), expected.map(({ label }) => label), file);
    for (const [i, { score, box }] of expected.entries()) {
      assert.ok(Math.abs(actual[i]!.score - score) < 1e-3, `${file}: ${actual[i]!.score} ${score}`);
      for (const [side, value] of box.entries()) {
        assert.ok(
          Math.abs(actual[i]!.box[side]! - value) <= 1,
          `${file}: ${actual[i]!.box} ${box}`,
        );
      }
    }
  }
});

Deno.test("detect says which model it was and the best score a label, and keeps the bytes", async () => {
  const value = await still("astronaut.jpg");
  const frame = frameOf(value, 5, 500, { seq: "9" });
  const [output] = await run(detect(), [frame]);
  assert.equal(output!.result!.model!.name, "centernet");
  assert.deepEqual(output!.result!.scores, { person: found(output!)[0]!.score });
  assert.equal(output!.result!.frames![0]!.offset, 5);
  assert.equal(output!.headers["seq"], "9");
  assert.equal(output!.value, value);
});

Deno.test("detect says that it looks at every frame, whatever the manifest's sampling and hop", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const [models, path] = ["models/centernet", `${folder}/model.json`];
    await Deno.copyFile(`${models}/centernet.onnx`, `${folder}/centernet.onnx`);
    const manifest = JSON.parse(await Deno.readTextFile(`${models}/model.json`));
    await Deno.writeTextFile(path, JSON.stringify({ ...manifest, sampling: { fps: 2 } }));
    assert.match(detect(path).remarks!.join(), /^Model centernet runs on every frame: .*{"fps":2}/);
    await Deno.writeTextFile(path, JSON.stringify({ ...manifest, hop: 5 }));
    assert.match(
      detect(path).remarks!.join(),
      /^Model centernet runs on every frame: the hop 5 of/,
    );
    assert.deepEqual(detect().remarks, []);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("detect may look for some labels alone, and above another threshold", async () => {
  const [frame, coffee] = [
    frameOf(await still("astronaut.jpg")),
    frameOf(await still("coffee.jpg")),
  ];
  assert.deepEqual(found((await run(detect(undefined, { labels: ["cup"] }), [frame]))[0]!), []);
  assert.deepEqual(found((await run(detect(undefined, { threshold: 0.8 }), [frame]))[0]!), []);
  const many = { labels: ["bowl", "dining table"], threshold: 0.05 };
  const [all, best] = await Promise.all(
    [many, { ...many, maxObjects: 1 }].map(async (options) =>
      found((await run(detect(undefined, options), [coffee]))[0]!)
    ),
  );
  assert.ok(all!.length > 1 && best![0], JSON.stringify(all));
  assert.deepEqual(best, all!.slice(0, 1));
  assert.throws(
    () => detect(undefined, { labels: ["alien"] }),
    /Cannot detect alien: the model knows person,/,
  );
  assert.throws(
    () => detect(undefined, { threshold: 2 }),
    /threshold: expected a number from 0 to 1, given/,
  );
  const scores = orderModel("halves");
  assert.throws(
    () => detect(scores, { labels: ["a"], threshold: 0.5 }),
    /Cannot use detect options: threshold, labels are for objects, and model \w+ returns frame, window/,
  );
});

Deno.test("boxes are in pixels of the frame, whatever its size", async () => {
  const image = await decodeImage(await still("astronaut.jpg"), 3);
  const wide = await sharp(await still("astronaut.jpg"))
    .resize(900, 300, { fit: "fill" }).jpeg({ quality: 95 }).toBuffer();
  const [output] = await run(detect(), [frameOf(new Uint8Array(wide))]);
  const [person] = found(output!);
  assert.equal(person!.label, "person");
  const expected = reference[0]!.objects[0]!.box;
  const scale = [900 / image.width, 300 / image.height];
  for (const [side, value] of expected.entries()) {
    assert.ok(Math.abs(person!.box[side]! - value * scale[side % 2]!) < 15, `${person!.box}`);
  }
});

Deno.test("detect refuses a bad frame alone", async () => {
  const task = await open(detect());
  await assert.rejects(async () => await task.process(frameOf(new Uint8Array(20))), BadFrameError);
  // Its findings are not there to be shown again.
  const result = { data: { gate: { run: false } } };
  const [output] = await task.process({ ...frameOf(await still("coffee.jpg"), 1), result });
  assert.ok(output!.result!.inferMs! > 0);
  await task.close!();
});
