import assert from "node:assert/strict";
import { pngOf } from "../../../queries/operators/model/readers/map.ts";
import { masks } from "../../../queries/operators/masks.ts";
import { drawn } from "../../../queries/operators/drawn.ts";
import { decodeImage, type Frame, inspectImage } from "../../../runtime/mod.ts";
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
