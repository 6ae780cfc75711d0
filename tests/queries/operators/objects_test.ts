import assert from "node:assert/strict";
import { findPeaks } from "../../../queries/operators/centernet.ts";
import { objects } from "../../../queries/operators/objects.ts";
import {
  BadFrameError,
  decodeImage,
  encodeJpeg,
  type Frame,
  resize,
} from "../../../runtime/mod.ts";
import { frameOf, run } from "./kit.ts";
import reference from "./objects_reference.json" with { type: "json" };

const still = (name: string) => Deno.readFile(new URL(`./stills/${name}`, import.meta.url));

const found = (frame: Frame) => frame.result!.frames![0]!.objects!;

Deno.test("objects finds what the reference finds, within a pixel and 1e-3", async () => {
  for (const { file, objects: expected } of reference) {
    const [output] = await run(objects(), [frameOf(await still(file))]);
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

Deno.test("objects says which model it was, the best score a label, and draws", async () => {
  const value = await still("astronaut.jpg");
  const frame = frameOf(value, 5, 500, { seq: "9" });
  const [output] = await run(objects(), [frame]);
  assert.equal(output!.result!.model!.name, "centernet");
  assert.deepEqual(output!.result!.scores, { person: found(output!)[0]!.score });
  assert.equal(output!.result!.frames![0]!.offset, 5);
  assert.equal(output!.headers["seq"], "9");
  const [before, after] = [await decodeImage(value, 3), await decodeImage(output!.value, 3)];
  const [left, top] = found(output!)[0]!.box;
  const at = ((top + 60) * before.width + left) * 3;
  assert.notDeepEqual(after.data.slice(at, at + 3), before.data.slice(at, at + 3));
  const [plain] = await run(objects({ draw: false }), [frame]);
  assert.equal(plain!.value, value);
});

Deno.test("objects may look for some labels alone, and above another threshold", async () => {
  const frame = frameOf(await still("astronaut.jpg"));
  assert.deepEqual(found((await run(objects({ labels: ["cup"] }), [frame]))[0]!), []);
  assert.deepEqual(found((await run(objects({ threshold: 0.8 }), [frame]))[0]!), []);
  assert.throws(() => objects({ labels: ["alien"] }), /look for alien: the model knows person,/);
  assert.throws(() => objects({ threshold: 2 }), /threshold: expected a number from 0 to 1, given/);
});

Deno.test("boxes are in pixels of the frame, whatever its size", async () => {
  const image = await decodeImage(await still("astronaut.jpg"), 3);
  const wide = resize(image, 900, 300);
  const [output] = await run(objects(), [frameOf(await encodeJpeg(wide, { quality: 95 }))]);
  const [person] = found(output!);
  assert.equal(person!.label, "person");
  const expected = reference[0]!.objects[0]!.box;
  const scale = [900 / image.width, 300 / image.height];
  for (const [side, value] of expected.entries()) {
    assert.ok(Math.abs(person!.box[side]! - value * scale[side % 2]!) < 15, `${person!.box}`);
  }
});

Deno.test("objects refuses a bad frame alone", async () => {
  await assert.rejects(run(objects(), [frameOf(new Uint8Array(20))]), BadFrameError);
});

Deno.test("findPeaks takes local maxima above the threshold, each once", () => {
  const width = 5, height = 4;
  const heat = new Float32Array(2 * width * height);
  const put = (channel: number, x: number, y: number, score: number) =>
    heat[channel * width * height + y * width + x] = score;
  put(0, 1, 1, 0.9);
  put(0, 2, 1, 0.8); // beside a higher one
  put(0, 4, 3, 0.5);
  put(1, 0, 0, 0.6);
  put(1, 1, 0, 0.6); // as high as the one before it
  put(1, 4, 0, 0.29); // not above the threshold
  put(1, 0, 2, 0.4); // beside no other: the row above ends far right
  const sides = new Float32Array(4 * width * height).fill(3);
  const peaks = findPeaks(
    { data: heat, width, height },
    { data: sides, width, height },
    { threshold: 0.3, stride: 4, most: 10 },
  );
  assert.deepEqual(peaks.map(({ channel, box }) => [channel, ...box]), [
    [0, 1, 1, 7, 7],
    [1, -3, -3, 3, 3],
    [0, 13, 9, 19, 15],
    [1, -3, 5, 3, 11],
  ]);
});
