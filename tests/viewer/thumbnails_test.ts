import assert from "node:assert/strict";
import type { Lane, LanePicture } from "../../runtime/lanes.ts";
import { Thumbnails } from "../../viewer/thumbnails.ts";
import { FakeLanes } from "../support/fake_lanes.ts";

const MIB = 1024 * 1024;

function thumbnails() {
  const lanes = new FakeLanes({ count: 1 });
  const asked: number[] = [];
  const state = { away: false };
  const at = (_lane: Lane, offset: number) => {
    asked.push(offset);
    if (state.away) return Promise.reject(new Error("The log is unreachable"));
    // Offset 7 is gone from the log: the next one is given.
    const found = offset === 7 ? 8 : offset;
    return Promise.resolve(lanes.push("greyscale-0", { offset: found, bytes: big }));
  };
  const scaled = (picture: LanePicture) => (
    { ...picture, picture, sourceWidth: 0, sourceHeight: 0 }
  );
  const big = new Uint8Array(6 * MIB);
  const made = new Thumbnails({ at }, { scaled });
  const of = (fromOffset: number, width = 160) =>
    made.of({ fromOffset, fromTime: fromOffset }, lanes.lanes()[0]!, width);
  return { of, asked, state };
}

Deno.test("an alert's picture is made once for all pages, in each width", async () => {
  const { of, asked } = thumbnails();
  const [one, other] = await Promise.all([of(1), of(1)]);
  assert.equal(one, other);
  assert.equal(await of(1), one);
  assert.equal(one!.offset, 1);
  assert.deepEqual(asked, [1]);
  await of(1, 320);
  assert.deepEqual(asked, [1, 1]);
});

Deno.test("the oldest pictures of alerts give way to new ones", async () => {
  const { of, asked } = thumbnails();
  for (const offset of [1, 2, 3, 2, 3, 1]) await of(offset);
  assert.deepEqual(asked, [1, 2, 3, 1]);
});

Deno.test("a picture that could not be had is looked for again", async () => {
  const { of, asked, state } = thumbnails();
  assert.equal(await of(7), undefined);
  state.away = true;
  await assert.rejects(of(1), /unreachable/);
  state.away = false;
  assert.equal((await of(1))!.offset, 1);
  assert.deepEqual(asked, [7, 1, 1]);
});
