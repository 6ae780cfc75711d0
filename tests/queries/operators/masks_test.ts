import assert from "node:assert/strict";
import { pngOf } from "../../../queries/operators/model/readers/map.ts";
import { masks } from "../../../queries/operators/masks.ts";
import { drawn } from "../../../queries/operators/drawn.ts";
import {
  decodeImage,
  type Finding,
  type Frame,
  inspectImage,
  type Result,
} from "../../../runtime/mod.ts";
import { type Box, fillBox } from "../../../runtime/image/mod.ts";
import { contextOf, frameOf, scene } from "./kit.ts";

Deno.test("masks shows the mask of an output as a PNG, and keeps the result", async () => {
  const data = Uint8Array.from([0, 1, 2, 2, 1, 0]);
  const png = pngOf({ data, width: 3, height: 2 }).toString("base64");
  const result = { scores: { road: 0.5 }, data: { masks: { classes: [png] } } };
  const frame: Frame = { ...frameOf(new Uint8Array(9), 4), result };
  const task = await masks<Frame>("classes").open(contextOf());
  const [shown] = await task.process(frame);
  assert.equal(shown!.headers["content-type"], "image/png");
  assert.deepEqual([shown!.headers["width"], shown!.headers["height"]], ["3", "2"]);
  assert.equal(shown!.result, result);
  const picture = await decodeImage(shown!.value, 1);
  assert.deepEqual([...picture.data.subarray(0, 6)], [...data]);
  picture.release();
  const [other] = await (await masks<Frame>("other").open(contextOf())).process(frame);
  assert.equal(other, frame);
});

Deno.test("drawn draws what was found, and leaves other pictures alone", async () => {
  const value = await scene();
  const objects = [{ label: "person", score: 0.9, box: [40, 60, 140, 200], track: 7 }] as const;
  const found = { frames: [{ offset: 0, timestamp: 0, objects }], zones: { door: 1 } };
  const task = await drawn<Frame>().open(contextOf());
  const [plain] = await task.process(frameOf(value));
  assert.equal(plain!.value, value);
  const [output] = await task.process({ ...frameOf(value), result: found });
  assert.equal(output!.headers["drawn"], "results");
  assert.equal(output!.result, found);
  const { width, height } = inspectImage(output!.value);
  assert.deepEqual([width, height], [320, 240]);
  const [before, after] = [await decodeImage(value, 3), await decodeImage(output!.value, 3)];
  const at = (130 * 320 + 40) * 3;
  assert.notDeepEqual(after.data.slice(at, at + 3), before.data.slice(at, at + 3));
  before.release();
  after.release();
  assert.throws(
    () => drawn({ scores: -1, quality: 500 }),
    /scores: expected a whole number from 0 up, given -1; quality: expected a whole number from 1/,
  );
});

Deno.test("drawn writes scores, counts, the alert and the window, and draws the points of bodies", async () => {
  const value = await scene({}, (image) => fillBox(image, [0, 0, 320, 240], [255, 255, 255]));
  const task = await drawn<Finding>({ scores: 1 }).open(contextOf());
  const finding = (result: Result, picture = frameOf(value, 7)): Finding => ({
    ...{ topic: "T", partition: 0, key: "CAMERA-1", firstOffset: 0, lastOffset: 7, timestamp: 0 },
    result,
    picture,
  });
  /** How many pixels differ in a part of the picture. */
  const changed = async (result: Result, [left, top, right, bottom]: Box) => {
    const [{ picture }] = await task.process(finding(result)) as [Finding];
    const [before, after] = [await decodeImage(value, 1), await decodeImage(picture!.value, 1)];
    let count = 0;
    for (let y = top; y < bottom; y++) {
      for (let x = left; x < right; x++) {
        const at = y * 320 + x;
        if (Math.abs(before.data[at]! - after.data[at]!) > 40) count++;
      }
    }
    before.release();
    after.release();
    return count;
  };
  const alert = { id: "a", state: "start", label: "b", peak: 0.9 } as const;
  const seen = { firstOffset: 0, lastOffset: 7, firstTimestamp: 0, lastTimestamp: 700 };
  const lines = [
    { scores: { a: 0.1, b: 0.9 } },
    { counts: { door: { in: 1, out: 2 } } },
    { alert },
    { window: { ...seen, frames: 8, gaps: 0 } },
  ];
  const line = (at: number): Box => [0, 4 + 11 * at, 200, 14 + 11 * at];
  for (const count of [1, 2, 3, 4]) {
    const result: Result = Object.assign({}, ...lines.slice(0, count));
    assert.ok(await changed(result, line(count - 1)) > 100, JSON.stringify(result));
    assert.ok(await changed(result, line(count)) < 30, JSON.stringify(result));
  }
  const keypoints = [[160, 160, 0.9], [200, 160, 0.2]] as const;
  const body = { label: "person", score: 0.9, box: [140, 140, 220, 220] as const, keypoints };
  const frame = { offset: 3, timestamp: 0, objects: [body] };
  const later = { offset: 8, timestamp: 0, objects: [] };
  const points = (at: number): Box => [at - 1, 159, at + 1, 161];
  for (const frames of [[frame], [frame, later], [{ ...frame, offset: 9 }]]) {
    const found = [await changed({ frames }, points(160)), await changed({ frames }, points(200))];
    assert.deepEqual(found, [4, 0], JSON.stringify(frames));
  }
  const [blind] = await task.process(
    finding({ scores: { a: 1 } }, frameOf(value.subarray(0, 900))),
  );
  assert.deepEqual([blind!.picture, blind!.result], [undefined, { scores: { a: 1 } }]);
  const bad = { ...frameOf(value.subarray(0, 900)), result: { scores: { a: 1 } } };
  const own = await drawn<Frame>().open(contextOf());
  await assert.rejects(async () => await own.process(bad), { name: "BadFrameError" });
});
