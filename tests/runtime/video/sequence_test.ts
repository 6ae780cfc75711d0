import assert from "node:assert/strict";
import { AnnexBWriter } from "../../../runtime/video/annex_b.ts";
import {
  inspectAccessUnit,
  joinedUnits,
  NAL_TYPES,
  nalUnits,
} from "../../../runtime/video/access_unit.ts";
import { BitWriter } from "../../../runtime/video/bits.ts";
import { fieldOf, frameNumberBits, shownAtOnce } from "../../../runtime/video/sequence.ts";
import { accessUnits } from "../../support/access_units.ts";
import { coreMsOf } from "../../support/core_ms.ts";

Deno.test("a keyframe with as long a parameter set as there may be is rewritten in a moment", async () => {
  for (const codec of ["h264", "h265"] as const) {
    const [keyframe] = await accessUnits({ codec, frames: 1, gop: 1 });
    const { sps, type } = NAL_TYPES[codec];
    const tail = new Uint8Array(65_000).fill(0xa5);
    const long = joinedUnits(
      [...nalUnits(keyframe!)].map((nal) =>
        type(nal[0]!) === sps ? Uint8Array.from([...nal, ...tail]) : nal
      ),
      "start-code",
    );
    const ms = coreMsOf(() => {
      for (let round = 0; round < 20; round++) shownAtOnce(codec, long);
    });
    assert.ok(ms < 800, `${codec}: ${ms.toFixed(0)} ms`);
  }
});

Deno.test("a parameter set that asks for endless frame numbers holds no thread", () => {
  const sps = new BitWriter().number(66, 8).number(0, 8).number(30, 8).exponentialGolomb(0)
    // The length of numbers, less four: 2 ** 31 - 2.
    .number(0, 30).number(0x7fffffff, 31)
    .exponentialGolomb(0).exponentialGolomb(0).exponentialGolomb(1).number(0, 1)
    .exponentialGolomb(9).exponentialGolomb(9).number(0, 1).number(1, 1)
    .unit(Uint8Array.of(0x67));
  const slice = Uint8Array.of(0x65, 0x88, 0x84, 0x21, 0xa0, 0x11);
  const keyframe = joinedUnits([sps, Uint8Array.of(0x68, 0xce, 0x38, 0x80), slice], "start-code");
  const ms = coreMsOf(() => {
    assert.equal(frameNumberBits(keyframe), 16);
    inspectAccessUnit("h264", keyframe, frameNumberBits(keyframe));
    fieldOf(slice, sps);
  });
  assert.ok(ms < 1_000, `${ms} ms`);
});

/** A parameter set of High profile: chroma format, scaling lists, and what tells the order of frames. */
function highSet(chroma: number, lists: readonly (readonly number[])[], order: readonly number[]) {
  const bits = new BitWriter().number(100, 8).number(0, 8).number(30, 8).exponentialGolomb(0);
  bits.exponentialGolomb(chroma);
  if (chroma === 3) bits.number(0, 1);
  bits.exponentialGolomb(0).exponentialGolomb(0).number(0, 1).number(lists.length > 0 ? 1 : 0, 1);
  for (const list of lists) {
    bits.number(list.length > 0 ? 1 : 0, 1);
    for (const step of list) bits.exponentialGolomb(step > 0 ? 2 * step - 1 : -2 * step);
  }
  // Frames have numbers of 7 bits.
  bits.exponentialGolomb(3);
  for (const value of order) bits.exponentialGolomb(value);
  return bits.exponentialGolomb(1).number(0, 1).exponentialGolomb(9).exponentialGolomb(9)
    .number(0, 1).number(1, 1).number(0, 3).number(1, 1).unit(Uint8Array.of(0x67));
}

Deno.test("what stands before the numbers of frames in a parameter set is read over", () => {
  const whole = new Array(16).fill(3), large = new Array(64).fill(1), usual = [-8], end = [2, -10];
  const lists = [whole, usual, [], end, [], whole, large, []];
  const slice = Uint8Array.of(0x65, 0x88, 0x84, 0x21, 0xa0, 0x11);
  const bitsOf = (set: Uint8Array) => frameNumberBits(joinedUnits([set, slice], "start-code"));
  assert.equal(bitsOf(highSet(1, [], [2])), 7);
  assert.equal(bitsOf(highSet(1, lists, [2])), 7);
  assert.equal(bitsOf(highSet(1, lists, [0, 4])), 7);
  // Frames of 4:4:4 may have their planes apart, which have numbers of their own.
  assert.equal(bitsOf(highSet(3, [...lists, [], [], large, end], [2])), 0);
  for (const set of [highSet(1, lists, [0, 4]), highSet(3, [...lists, [], [], large, end], [2])]) {
    const [rewritten] = nalUnits(shownAtOnce("h264", joinedUnits([set, slice], "start-code")));
    // All but the usability information that follows, of which there was none.
    assert.deepEqual(rewritten!.subarray(0, set.length - 1), set.subarray(0, -1));
    assert.ok(rewritten!.length > set.length);
  }
});

Deno.test("the work on a keyframe of many NAL units grows with their number", () => {
  const start = [0, 0, 0, 1], units = 2_000;
  const delimiters = new Array(units).fill([...start, 9, 0xf0]).flat();
  const sei = new Array(units).fill([...start, 6, 0x80]).flat();
  let searched = 0;
  const { includes } = Array.prototype;
  Array.prototype.includes = function (this: unknown[], ...item) {
    searched += this.length;
    return includes.apply(this, item);
  };
  try {
    const unit = Uint8Array.from([...delimiters, ...sei, ...start, 0x65, 0x88, 0x84]);
    const { bytes, entry } = new AnnexBWriter("h264").write(unit);
    assert.deepEqual([entry, bytes], [true, unit]);
  } finally {
    Array.prototype.includes = includes;
  }
  assert.ok(searched < 20 * units, String(searched));
});
