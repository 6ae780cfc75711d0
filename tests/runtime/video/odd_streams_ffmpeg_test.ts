/** Streams that no encoder here makes, written bit by bit, and the ways of foreign producers: bit-exact with FFmpeg. */
import assert from "node:assert/strict";
import { AV_FRAME_DATA_DISPLAYMATRIX } from "node-av";
// Loads FFmpeg before the tests begin, each of which must leave as much as it found.
import "../../../runtime/video/h264_encoding.ts";
import { BadFrameError } from "../../../runtime/definition/frame.ts";
import { inspectAccessUnit, NAL_TYPES, nalUnits } from "../../../runtime/video/access_unit.ts";
import { GroupTracker, unitOf } from "../../../runtime/video/groups.ts";
import { shownAtOnce } from "../../../runtime/video/sequence.ts";
import { accessUnits, type StreamOptions } from "../../support/access_units.ts";
import {
  joined,
  pictureSet,
  type Sequence,
  sequenceSet,
  type Slice,
  slice,
} from "../../support/h264_writer.ts";
import { framesOf, lumaOf, planeOf } from "./corpus.ts";

const SMALL: Sequence = { columns: 2, rows: 2 };
const COUNT = 8;

/** A keyframe, and pictures that each copy most of one before. */
function written(
  sequence: Sequence,
  change: (index: number) => Partial<Slice> = () => ({}),
  count = COUNT,
): Uint8Array[] {
  return Array.from({ length: count }, (_, index) => {
    const keyframe = index === 0;
    const picture = slice(sequence, {
      type: keyframe ? "I" : "P",
      keyframe,
      number: index,
      order: 2 * index,
      luma: 11 * index,
      ...change(index),
    });
    return keyframe ? joined(sequenceSet(sequence), pictureSet(), picture) : picture;
  });
}

/** A frame as two fields, the second copying the first of its picture before. */
function fieldCoded(): Uint8Array[] {
  const sequence = { columns: 2, rows: 4, fields: true };
  return Array.from({ length: COUNT }, (_, index) => {
    const keyframe = index === 0;
    const top = slice(sequence, {
      type: keyframe ? "I" : "P",
      keyframe,
      number: index,
      order: 2 * index,
      field: "top",
      luma: 9 * index,
    });
    const bottom = slice(sequence, {
      type: "P",
      number: index,
      order: 2 * index + 1,
      field: "bottom",
      luma: 9 * index + 4,
    });
    return keyframe
      ? joined(sequenceSet(sequence), pictureSet(), top, bottom)
      : joined(top, bottom);
  });
}

/** Each group has sets of another number, and pictures change between two of them. */
function renumbered(): Uint8Array[] {
  return [0, 1, 2].flatMap((group) => {
    const sequence = { ...SMALL, id: group };
    const sets = joined(sequenceSet(sequence), pictureSet(group, group), pictureSet(5, group));
    const units = written(sequence, (index) => ({ pps: index % 2 === 0 ? group : 5 }), 4);
    return [joined(sets, slicesOf(units[0]!)), ...units.slice(1)];
  });
}

/** A parameter set that comes with a later picture of the group. */
function lateSet(): Uint8Array[] {
  const units = written(SMALL, (index) => ({ pps: index < 3 ? 0 : 9 }));
  return units.map((unit, index) => index === 3 ? joined(pictureSet(9, 0), unit) : unit);
}

function slicesOf(unit: Uint8Array): Uint8Array {
  const { slice: isSlice, type } = NAL_TYPES.h264;
  const [first] = [...nalUnits(unit)].filter((nal) => isSlice(type(nal[0]!)));
  return joined(Uint8Array.of(0, 0, 0, 1), unit.subarray(first!.byteOffset - unit.byteOffset));
}

const START = Uint8Array.of(0, 0, 1);

/** The NAL units of each access unit, put together in another way. */
async function reframed(
  frame: (nals: readonly Uint8Array[]) => readonly Uint8Array[],
  options: Omit<StreamOptions, "frames"> = { parameters: "slices=3" },
): Promise<Uint8Array[]> {
  const units = await accessUnits({ gop: 4, ...options, frames: COUNT });
  return units.map((unit) => joined(...frame([...nalUnits(unit)])));
}

/** Two groups of another size each. */
async function resized(codec: "h264" | "h265"): Promise<Uint8Array[]> {
  const sizes = [[160, 96], [320, 192], [96, 160]] as const;
  const groups = await Promise.all(
    sizes.map(([width, height]) => accessUnits({ codec, frames: 4, gop: 4, width, height })),
  );
  return groups.flat();
}

/** Open groups of H.264 without frames out of order: I pictures with a recovery point and sets. */
async function recovered(): Promise<Uint8Array[]> {
  const intra = (index: number) => index % 4 === 0 && index > 0;
  const units = await accessUnits({
    frames: 12,
    gop: 100,
    parameters: "ref=1",
    types: (index) => intra(index) ? "I" : "P",
  });
  const isSet = (nal: Uint8Array) => [7, 8].includes(nal[0]! & 31);
  const sets = [...nalUnits(units[0]!)].filter(isSet).flatMap((set) => [START, set]);
  const recovery = Uint8Array.of(0, 0, 1, 6, 6, 1, 0xc4, 0x80);
  return units.map((unit, index) => intra(index) ? joined(...sets, recovery, unit) : unit);
}

const delimiter = Uint8Array.of(9, 0xf0);
const filler = Uint8Array.of(12, ...Array(200).fill(255), 0x80);

const ODD: Readonly<Record<string, () => Promise<Uint8Array[]> | Uint8Array[]>> = {
  "H.264 of raw samples": () => written(SMALL),
  "H.264 that allows another order of showing": () => written({ ...SMALL, reorder: 2 }),
  "H.264 whose order counts in larger steps": () => written(SMALL, (i) => ({ order: 6 * i })),
  "H.264 whose order leaves some out": () =>
    written(SMALL, (i) => ({ order: i < 4 ? 2 * i : 2 * i + 20 })),
  "H.264 with a long-term reference": () =>
    written(SMALL, (index) => ({ keep: index === 2, longTerm: index > 3 && index % 2 === 0 })),
  "H.264 with pictures that nothing depends on": () =>
    written(SMALL, (index) => ({
      number: index - (index >> 1),
      reference: index % 2 === 0 ? 1 : 0,
    })),
  "H.264 of fields": fieldCoded,
  "H.264 with other sets in each group": renumbered,
  "H.264 with a set between keyframes": lateSet,
  "H.264 in open groups, by a camera": recovered,
  "H.264 of changing sizes": () => resized("h264"),
  "H.264 with start codes of three bytes": () =>
    reframed((nals) => nals.flatMap((nal) => [START, nal])),
  "H.264 with zeros behind each NAL unit": () =>
    reframed((nals) => nals.flatMap((nal) => [START, nal, new Uint8Array(5)])),
  "H.264 with delimiters and filler data": () =>
    reframed((nals) =>
      [delimiter, ...nals, filler].flatMap((nal) => [Uint8Array.of(0), START, nal])
    ),
  "H.264 with scaling lists and everything about its use": () =>
    accessUnits({
      ...{ frames: COUNT, gop: 4 },
      parameters: "cqm=jvt:8x8dct=1:nal-hrd=vbr:vbv-maxrate=800:vbv-bufsize=800:" +
        "sar=7/5:overscan=show:colormatrix=bt709:chromaloc=1",
    }),
  "H.264 for frames out of order that has none": () =>
    accessUnits({ frames: COUNT, gop: 4, parameters: "bframes=2:b-adapt=0", types: inOrder }),
  "H.265 of changing sizes": () => resized("h265"),
  "H.265 for frames out of order that has none": () =>
    accessUnits({
      ...{ codec: "h265", frames: COUNT, gop: 4 },
      parameters: "bframes=2:b-adapt=0:rc-lookahead=4:open-gop=0",
      types: inOrder,
    }),
  "H.264 in open groups, by x264": () =>
    accessUnits({
      ...{ frames: COUNT, gop: 4 },
      parameters: "bframes=1:b-adapt=0:open-gop=1:ref=1",
      types: inOrder,
    }),
};

function inOrder(index: number): "I" | "P" {
  return index % 4 === 0 ? "I" : "P";
}

for (const [name, make] of Object.entries(ODD)) {
  Deno.test(`${name}: bit-exact with FFmpeg`, async () => {
    const units = await make();
    const codec = name.startsWith("H.264") ? "h264" : "h265";
    const expected = await lumaOf(units, codec);
    assert.equal(expected.length, units.length);
    const tracker = new GroupTracker(() => {}, { here: true });
    for (const [index, frame] of framesOf(units, codec).entries()) {
      assert.equal(tracker.take(frame), "unit", `frame ${index}`);
      const unit = unitOf(frame.value)!;
      const picture = await (await unit.group.decoder()).picture(unit);
      assert.equal(planeOf(picture), expected[index], `frame ${index}`);
      picture.release();
    }
    await tracker.close();
  });
}

Deno.test("odd streams are as odd as they should be", async () => {
  const keyframes = (units: readonly Uint8Array[]) =>
    units.flatMap((unit, index) => inspectAccessUnit("h264", unit).keyframe ? [index] : []);
  assert.deepEqual(keyframes(await recovered()), [0, 4, 8]);
  assert.deepEqual(keyframes(renumbered()), [0, 4, 8]);
  // What says nothing of the order gets a remark on it, and nothing else changes.
  const [first, second] = written(SMALL);
  assert.notDeepEqual(shownAtOnce("h264", first!), first);
  assert.equal(shownAtOnce("h264", second!), second);
});

/** What comes of each unit: a picture, or why there is none. */
async function shown(units: readonly Uint8Array[], codec: "h264" | "h265"): Promise<string[]> {
  const tracker = new GroupTracker(() => {}, { here: true });
  const all: string[] = [];
  for (const frame of framesOf(units, codec)) {
    try {
      const linked = tracker.take(frame);
      if (linked === "unit") {
        const unit = unitOf(frame.value)!;
        (await (await unit.group.decoder()).picture(unit)).release();
      }
      all.push(linked);
    } catch (error) {
      assert.ok(error instanceof BadFrameError, String(error));
      all.push(`${error.reason}: ${error.message}`);
    }
  }
  await tracker.close();
  return all;
}

Deno.test("pictures that depend on what is before their keyframe are left out, the others are shown", async () => {
  const parameters = "bframes=2:b-adapt=0:rc-lookahead=4:open-gop=1";
  const options = { codec: "h265", frames: 18, gop: 6, parameters } as const;
  // From a clean random access picture on: its leading pictures come first.
  const units = (await accessUnits(options)).slice(4);
  const all = await shown(units, "h265");
  const leading = units.map((unit) => inspectAccessUnit("h265", unit).leading);
  assert.ok(leading[1]);
  assert.deepEqual(all, leading.map((one) => one ? "no-keyframe" : "unit"));
});

Deno.test("pictures stay as they are stored where a message asks to turn them", async () => {
  const units = await accessUnits({ frames: 4, gop: 4 });
  // Display orientation: 90 degrees.
  const message = Uint8Array.of(6, 47, 3, 8, 0, 0x14, 0x80);
  const isSlice = (nal: Uint8Array) => [1, 5].includes(nal[0]! & 31);
  const turned = units.map((unit) =>
    joined(
      ...[...nalUnits(unit)].flatMap((nal) => [
        ...isSlice(nal) ? [START, message] : [],
        START,
        nal,
      ]),
    )
  );
  const expected = await lumaOf(units, "h264");
  const tracker = new GroupTracker(() => {}, { here: true });
  for (const [index, frame] of framesOf(turned, "h264").entries()) {
    tracker.take(frame);
    const unit = unitOf(frame.value)!;
    const picture = await (await unit.group.decoder()).picture(unit);
    assert.notEqual(picture.frame.getSideData(AV_FRAME_DATA_DISPLAYMATRIX), null);
    assert.deepEqual([picture.width, picture.height], [160, 96]);
    assert.equal(planeOf(picture), expected[index]);
    picture.release();
  }
  await tracker.close();
});

Deno.test("H.264 whose frames are out of order says so, once in a group", async () => {
  const parameters = "bframes=2:b-adapt=0:rc-lookahead=4";
  const all = await shown(await accessUnits({ frames: 12, gop: 6, parameters }), "h264");
  const said = all.filter((one) => one.startsWith("corrupt"));
  assert.equal(said.length, 2);
  assert.match(said[0]!, /not in the order of showing \(B-frames\)$/);
});

Deno.test("an access unit in several records costs those records, and is never shown in part", async () => {
  const { slice: isSlice, type } = NAL_TYPES.h264;
  const units = await accessUnits({ frames: 8, gop: 4, parameters: "slices=3" });
  const records = units.flatMap((unit, index) =>
    index < 4 ? [unit] : [...nalUnits(unit)].map((nal) => joined(START, nal))
  );
  const all = await shown(records, "h264");
  assert.deepEqual(all.slice(0, 4), Array(4).fill("unit"));
  const reasons = all.slice(4).map((one) => one.split(":")[0]!);
  assert.deepEqual([...new Set(reasons)].sort(), ["corrupt", "no-keyframe"]);
  assert.ok(records.some((record) => !isSlice(type(record[3]!))));
});
