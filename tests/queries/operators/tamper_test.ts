import assert from "node:assert/strict";
import { tamper } from "../../../queries/operators/tamper.ts";
import { encodeJpeg, type Frame } from "../../../runtime/mod.ts";
import { framesOf, run, runWithRestarts, scene } from "./kit.ts";

/** Two frames a second: every frame is a look. */
const FPS = 2;

function noisy(frames: number, seed: number, from = 0): Promise<Uint8Array[]> {
  return Promise.all(
    Array.from({ length: frames }, (_, i) => scene({ seed, noise: from + i + 1 })),
  );
}

/** A hand before the lens: nearly black, with noise. */
function covered(frames: number): Promise<Uint8Array[]> {
  return Promise.all(Array.from({ length: frames }, (_, i) => {
    const data = new Uint8Array(320 * 240).map((_, at) => 14 + (at * 31 + i * 7) % 5);
    return encodeJpeg({ data, width: 320, height: 240, channels: 1 });
  }));
}

function scores(outputs: readonly Frame[], name: string): number[] {
  return outputs.map(({ result }) => result!.scores![name]!);
}

Deno.test("tamper is silent on a scene with noise", async () => {
  const values = await noisy(20, 1);
  const outputs = await run(tamper(), framesOf(values, FPS));
  for (const [i, { result, value }] of outputs.entries()) {
    assert.deepEqual(result?.scores, { covered: 0, turned: 0, frozen: 0 });
    assert.equal(value, values[i]);
  }
});

Deno.test("tamper sees a covered lens, and takes it for nothing else", async () => {
  const values = [...await noisy(10, 1), ...await covered(10), ...await noisy(5, 1, 50)];
  const outputs = await run(tamper(), framesOf(values, FPS));
  assert.deepEqual(scores(outputs, "covered").map(Math.round), [
    ...new Array(10).fill(0),
    ...new Array(10).fill(1),
    ...new Array(5).fill(0),
  ]);
  assert.ok(Math.max(...scores(outputs, "turned").slice(10, 20)) < 0.1);
});

Deno.test("a picture of one colour is covered, and has no other scene", async () => {
  const data = new Uint8Array(320 * 240);
  const black = await encodeJpeg({ data, width: 320, height: 240, channels: 1 });
  const values = [...await noisy(6, 1), black, ...new Array(9).fill(black), ...await noisy(1, 1)];
  const outputs = await run(tamper({ referencePictures: 8 }), framesOf(values, FPS));
  assert.deepEqual(outputs[6]!.result!.scores, { covered: 1, turned: 0, frozen: 0 });
  assert.deepEqual(outputs.at(-1)!.result!.scores, { covered: 0, turned: 0, frozen: 0 });
});

Deno.test("tamper sees a turned camera at once, and gets used to the new scene", async () => {
  const values = [...await noisy(20, 1), ...await noisy(40, 2)];
  const turned = scores(await run(tamper(), framesOf(values, FPS)), "turned");
  assert.equal(Math.max(...turned.slice(0, 20)), 0);
  assert.ok(turned[20]! > 0.9, `turned ${turned[20]}`);
  assert.ok(turned[59]! < 0.1, `turned ${turned[59]}`);
});

Deno.test("tamper sees a frozen feed, surer with time", async () => {
  const [live, thaw] = [await noisy(6, 1), await noisy(3, 1, 60)];
  const values = [...live, ...new Array(12).fill(live[5]), ...thaw];
  const frozen = scores(await run(tamper({ frozenMs: 5000 }), framesOf(values, FPS)), "frozen");
  const ramp = Array.from({ length: 12 }, (_, i) => Math.min(1, (i + 1) / 10));
  assert.deepEqual(frozen, [0, 0, 0, 0, 0, 0, ...ramp, 0, 0, 0]);
});

Deno.test("tamper continues after any restart as if there had been none", async () => {
  const live = await noisy(16, 1);
  const values = [
    ...live,
    ...new Array(8).fill(live[15]),
    ...await covered(6),
    ...await noisy(20, 2),
  ];
  // Five frames a second: most of them come between two looks.
  const frames = framesOf(values, 5);
  const options = { referencePictures: 6, frozenMs: 2000 };
  const straight = await run(tamper(options), frames);
  for (const restartAt of [[1], [17], [22], [26], [33], [...frames.keys()]]) {
    const { outputs } = await runWithRestarts(tamper(options), frames, new Set(restartAt));
    assert.deepEqual(outputs, straight, `restarts at ${restartAt}`);
  }
});

Deno.test("tamper refuses a frozenMs that its looks do not span", () => {
  assert.equal(tamper({ intervalMs: 100 }).name, "tamper(frozenMs=3100)");
  assert.throws(
    () => tamper({ intervalMs: 100, referencePictures: 11, frozenMs: 1001 }),
    /frozenMs: expected a number from 1 to 1000, given 1001/,
  );
});
