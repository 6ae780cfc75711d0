import assert from "node:assert/strict";
import { motion } from "../../../queries/operators/motion.ts";
import { BadFrameError } from "../../../runtime/mod.ts";
import { fillBox } from "../../../runtime/image/mod.ts";
import { frameOf, framesOf, open, run, runWithRestarts, scene } from "./kit.ts";

const WHITE = [255, 255, 255] as const;

/** A scene in which a bright square of 40 pixels walks right by 10 pixels a frame. */
function walk(frames: number): Promise<Uint8Array[]> {
  return Promise.all(Array.from({ length: frames }, (_, i) =>
    scene({ noise: i + 1 }, (image) => {
      if (i >= 5) fillBox(image, squareAt(i), WHITE);
    })));
}

function squareAt(i: number): [number, number, number, number] {
  const left = 20 + 10 * (i - 5);
  return [left, 100, left + 40, 140];
}

Deno.test("motion is silent on a still scene with noise, and keeps its bytes", async () => {
  const values = await Promise.all(Array.from({ length: 12 }, (_, i) => scene({ noise: i + 1 })));
  const outputs = await run(motion(), framesOf(values));
  for (const [i, output] of outputs.entries()) {
    assert.deepEqual(output.result?.scores, { motion: 0 });
    assert.deepEqual(output.result?.frames, [{ offset: i, timestamp: 100 * i, objects: [] }]);
    assert.equal(output.value, values[i]);
  }
});

Deno.test("motion finds what moves, in pixels of the source", async () => {
  const values = await walk(20);
  const outputs = await run(motion(), framesOf(values));
  for (const [i, output] of outputs.entries()) {
    const { energy, boxes } = found(output.result);
    if (i < 5) {
      assert.deepEqual(boxes, []);
      continue;
    }
    assert.equal(boxes.length, 1, `frame ${i}: ${JSON.stringify(boxes)}`);
    const square = squareAt(i);
    const box = boxes[0]!;
    for (const side of [0, 1, 2, 3]) {
      assert.ok(Math.abs(box[side]! - square[side]!) <= 16, `frame ${i}: ${box} for ${square}`);
    }
    // The square is 40 by 40 of 320 by 240 pixels.
    assert.ok(energy > 0.014 && energy < 0.03, `energy ${energy}`);
    assert.equal(output.value, values[i]);
  }
});

function found(result: { readonly scores?: Readonly<Record<string, number>> } | undefined) {
  const frames = (result as { frames: { objects: { box: number[] }[] }[] }).frames;
  return { energy: result!.scores!["motion"]!, boxes: frames[0]!.objects.map(({ box }) => box) };
}

Deno.test("motion names the largest regions alone, inside the picture", async () => {
  const size = { width: 333, height: 251 };
  const spots = Array.from(
    { length: 24 },
    (_, i) => [50 * (i % 6) + 5, 60 * Math.floor(i / 6) + 5],
  );
  const still = await scene(size);
  const moved = await scene(size, (image) => {
    for (const [x, y] of spots) fillBox(image, [x!, y!, x! + 20, y! + 20], [255, 0, 0]);
    fillBox(image, [290, 190, 333, 251], WHITE);
  });
  const outputs = await run(motion(), framesOf([...new Array(5).fill(still), moved]));
  const { boxes } = found(outputs.at(-1)!.result);
  assert.equal(boxes.length, 16);
  assert.deepEqual(boxes[0]!.slice(2), [333, 251]);
});

Deno.test("motion leaves no trace of what has passed", async () => {
  const values = await walk(20);
  const still = await scene({ noise: 99 });
  const outputs = await run(motion(), framesOf([...values, still]));
  assert.deepEqual(found(outputs.at(-1)!.result).boxes, []);
});

Deno.test("motion continues after any restart as if there had been none", async () => {
  const frames = framesOf(await walk(70), 12.5);
  const straight = await run(motion(), frames);
  for (const restartAt of [[1], [7], [50], [69], [3, 4, 5, 60], [...frames.keys()]]) {
    const { outputs, replayed } = await runWithRestarts(
      motion(),
      frames,
      new Set(restartAt),
    );
    assert.deepEqual(outputs, straight, `restarts at ${restartAt}`);
    // 15 pictures 240 ms apart, 80 ms a frame.
    assert.ok(replayed <= restartAt.length * 45, `${replayed} frames for ${restartAt.length}`);
  }
});

Deno.test("motion begins anew after a pause, a new session and another size", async () => {
  const first = await scene({ seed: 1 }), other = await scene({ seed: 2 });
  const small = await scene({ seed: 2, width: 160, height: 120 });
  const cut = [frameOf(first, 0, 0), frameOf(first, 1, 100), frameOf(other, 2, 200)];
  assert.ok(found((await run(motion(), cut)).at(-1)!.result).energy > 0.5);
  const paused = [...cut.slice(0, 2), frameOf(other, 2, 60_000)];
  const rewound = [...cut.slice(0, 2).map((f) => ({ ...f, timestamp: 90_000 })), cut[2]!];
  const session = [...cut.slice(0, 2), frameOf(other, 2, 200, { session: "another" })];
  const resized = [...cut.slice(0, 2), frameOf(small, 2, 200)];
  for (const frames of [paused, rewound, session, resized]) {
    assert.equal(found((await run(motion(), frames)).at(-1)!.result).energy, 0);
  }
});

Deno.test("motion continues after a bad frame", async () => {
  const frames = framesOf(await walk(10));
  const task = await open(motion());
  await task.process(frames[0]!);
  await assert.rejects(
    async () => await task.process({ ...frames[1]!, value: new Uint8Array(9) }),
    BadFrameError,
  );
  const [next] = await task.process(frames[2]!);
  assert.equal(found(next!.result).energy, 0);
});

Deno.test("motion names all faults of its options", () => {
  assert.throws(
    () => motion({ threshold: 0, minRegion: NaN }),
    (error) =>
      error instanceof RangeError &&
      /threshold: expected a number from 1 to 254, given 0/.test(error.message) &&
      /minRegion: .*, given NaN/.test(error.message),
  );
});
