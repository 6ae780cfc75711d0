/** Pairs of two cameras' frames, compared with their definition. */
import assert from "node:assert/strict";
import type { Frame } from "../../../runtime/definition/frame.ts";
import { Pairing } from "../../../runtime/engine/pairing.ts";
import { Random } from "../../support/random.ts";
import { ending, mutuallyNearest, pairsOf, randomClock } from "./pairs_model.ts";

function frames(partition: number, times: readonly number[]): Frame[] {
  return times.map((timestamp, offset) => ({
    topic: "T",
    partition,
    offset,
    timestamp,
    key: null,
    headers: {},
    value: new Uint8Array(),
  }));
}

/** Feeds frames in portions, random ones by default, and begins again at random. */
function pairUp(
  left: Frame[],
  right: Frame[],
  toleranceMs: number,
  random: Random,
  portion = () => random.whole(1, 5),
) {
  let pairing = new Pairing(toleranceMs, { at: 0, left: null, right: null });
  const pairs: [number, number][] = [];
  let decided = 0;
  for (let nextLeft = 0, nextRight = 0; decided < left.length;) {
    const taken = pairing.take();
    if (taken === "left") {
      if (nextLeft === left.length) break;
      pairing.push("left", left.slice(nextLeft, nextLeft += portion()));
      nextLeft = Math.min(nextLeft, left.length);
    } else if (taken === "right") {
      if (nextRight === right.length) break;
      pairing.push("right", right.slice(nextRight, nextRight += portion()));
      nextRight = Math.min(nextRight, right.length);
    } else {
      assert.equal(taken.frame.offset, decided++);
      if (taken.other !== undefined) pairs.push([taken.frame.offset, taken.other.offset]);
      if (random.next() < 0.1) {
        const state = JSON.parse(JSON.stringify(pairing.state)) as typeof pairing.state;
        pairing = new Pairing(toleranceMs, state);
        nextLeft = decided;
        nextRight = state.at;
      }
    }
  }
  return { pairs, decided };
}

Deno.test("Pairs are those of the definition, whatever the clocks, the portions and the restarts", () => {
  const random = Random.fromEnvironment(1);
  let found = 0;
  for (let round = 0; round < 600; round++) {
    const times = [0, 1].map(() => randomClock(random, random.whole(0, 40), round % 3 > 0));
    const end = ending([0, ...times.flat()]);
    const left = frames(0, [...times[0]!, ...end]);
    const right = frames(1, [...times[1]!, ...end]);
    const toleranceMs = random.pick([0, 5, 20, 100, 1_000]);
    const { pairs, decided } = pairUp(left, right, toleranceMs, random);
    const where = `seed ${random.seed}, round ${round}`;
    assert.ok(decided >= times[0]!.length, `${where}: ${decided} of ${times[0]!.length} decided`);
    const expected = pairsOf(left, right, toleranceMs).filter(([offset]) => offset < decided);
    assert.deepEqual(pairs, expected, where);
    found += expected.length;
  }
  assert.ok(found > 3_000, `${found} pairs`);
});

Deno.test("With clocks that only go forward, two frames are a pair when each is the other's nearest", () => {
  const random = Random.fromEnvironment(2);
  for (let round = 0; round < 300; round++) {
    const [left, right] = [0, 1].map((partition) => {
      const times = randomClock(random, random.whole(1, 40), false);
      return frames(partition, [...times, ...ending(times)]);
    });
    const toleranceMs = random.pick([5, 20, 50]);
    const real = ([offset]: readonly number[]) => offset! < left!.length - 4;
    assert.deepEqual(
      pairUp(left!, right!, toleranceMs, random).pairs.filter(real),
      mutuallyNearest(left!, right!, toleranceMs).filter(real),
      `seed ${random.seed}, round ${round}`,
    );
  }
});

Deno.test("cameras whose time goes back with each frame hold few frames", () => {
  const backwards = Array.from({ length: 1_000 }, (_, i) => 1e12 - i * 120_000);
  const [left, right] = [frames(0, backwards), frames(1, backwards.map((time) => time + 10))];
  for (const [ours, theirs] of [[left, right], [left, frames(1, [1e12])]] as const) {
    const pairing = new Pairing(100, { at: 0, left: null, right: null });
    const read = { left: 0, right: 0 };
    let decided = 0;
    for (let taken = pairing.take();; taken = pairing.take()) {
      if (typeof taken !== "string") {
        decided++;
        continue;
      }
      const next = (taken === "left" ? ours : theirs).slice(read[taken], read[taken] + 64);
      if (next.length === 0) break;
      pairing.push(taken, next);
      read[taken] += next.length;
      assert.ok(read.left - decided <= 400, `${read.left - decided} frames are held`);
    }
  }
});

Deno.test("pairs beside more outliers than are held depend neither on the portions nor on restarts", () => {
  const random = Random.fromEnvironment(3);
  const steady = Array.from({ length: 100 }, (_, i) => 100_000 + i * 40);
  const outliers = Array.from({ length: 300 }, (_, i) => 1e9 - i * 120_000);
  const odd = [...steady.slice(0, 50), ...outliers, ...steady.slice(50)];
  const end = ending(odd);
  for (const [left, right, least] of [[steady, odd, 49], [odd, steady, 100]] as const) {
    const [ours, theirs] = [frames(0, [...left, ...end]), frames(1, [...right, ...end])];
    const wanted = pairUp(ours, theirs, 5, random, () => 1_000).pairs;
    assert.ok(wanted.length >= least, `${wanted.length} pairs`);
    for (const size of [1, 16, 64, 300, 320]) {
      const { pairs } = pairUp(ours, theirs, 5, random, () => size);
      assert.deepEqual(pairs, wanted, `seed ${random.seed}, portions of ${size}`);
    }
  }
});
