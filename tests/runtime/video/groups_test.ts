import assert from "node:assert/strict";
import { AnnexBWriter } from "../../../runtime/video/annex_b.ts";
import { joined, pictureSet, sequenceSet, slice } from "../../support/h264_writer.ts";
import { BadFrameError, type Frame } from "../../../runtime/definition/frame.ts";
import { pictureOf } from "../../../runtime/image/picture.ts";
import { type Denominator, Tensorizer } from "../../../runtime/image/mod.ts";
import { inspectAccessUnit, NAL_TYPES, nalUnits } from "../../../runtime/video/access_unit.ts";
import { GroupTracker, unitOf } from "../../../runtime/video/groups.ts";
import { configurationOf } from "../../../runtime/video/unit_copy.ts";
import { accessUnits } from "../../support/access_units.ts";
import { Random } from "../../support/random.ts";

function frameOf(value: Uint8Array, offset: number, codec = "h264", headers = {}): Frame {
  return {
    topic: "VideoStreaming",
    partition: 0,
    offset,
    timestamp: offset * 40,
    key: "CAMERA-1",
    headers: { "content-type": `video/${codec}`, ...headers },
    value: value.slice(),
  };
}

async function grey(frame: Frame): Promise<Uint8Array> {
  const picture = await pictureOf(frame);
  const pixels = await picture.pixels(1);
  picture.release();
  const copy = pixels.data.slice();
  pixels.release();
  return copy;
}

const silent = () => {};

for (const codec of ["h264", "h265"] as const) {
  Deno.test(`${codec}: pictures are the same in whatever order they are asked for`, async () => {
    const units = await accessUnits({ codec, frames: 25, gop: 10 });
    assert.equal(units.length, 25);
    const read = (here: boolean) => {
      const tracker = new GroupTracker(silent, { here });
      const frames = units.map((unit, offset) => frameOf(unit, offset, codec));
      for (const frame of frames) assert.equal(tracker.take(frame), "unit");
      return { tracker, frames };
    };
    const inOrder = read(false);
    const expected: Uint8Array[] = [];
    for (const frame of inOrder.frames) expected.push(await grey(frame));
    assert.equal(new Set(expected.map((pixels) => pixels.join())).size, 25);
    await inOrder.tracker.close();

    for (const here of [false, true]) {
      const random = new Random(7);
      const { tracker, frames } = read(here);
      const asked = Array.from({ length: 60 }, () => Math.floor(random.next() * 25));
      const got = await Promise.all(asked.map((offset) => grey(frames[offset]!)));
      for (const [i, pixels] of got.entries()) assert.deepEqual(pixels, expected[asked[i]!]);
      await tracker.close();
    }
  });
}

Deno.test("A keyframe is recognised by its bytes, and says its codec", async () => {
  const units = await accessUnits({ frames: 12, gop: 5 });
  const looked = units.map((unit) => inspectAccessUnit("h264", unit));
  assert.deepEqual(looked.map(({ keyframe }) => keyframe), units.map((_, i) => i % 5 === 0));
  assert.match(looked[0]!.codec!, /^avc1\.[0-9a-f]{6}$/);
  const [hevc] = await accessUnits({ codec: "h265", frames: 1 });
  assert.match(inspectAccessUnit("h265", hevc!).codec!, /^hvc1\.\d+\.[0-9A-F]+\.L\d+/);
});

Deno.test("Without its parameter sets an IDR picture is no keyframe", async () => {
  const [first] = await accessUnits({ frames: 1 });
  const slice = [...nalUnits(first!)].find((unit) => (unit[0]! & 31) === 5)!;
  const bare = new Uint8Array([0, 0, 0, 1, ...slice]);
  const { keyframe, entry } = inspectAccessUnit("h264", bare);
  assert.deepEqual({ keyframe, entry }, { keyframe: false, entry: true });
});

Deno.test("A keyframe without its parameter sets gets all that came before, whenever they came", () => {
  const sequence = { columns: 2, rows: 2 };
  const idr = slice(sequence, { type: "I", keyframe: true, number: 0, order: 0, luma: 9 });
  const [sps, first, late] = [sequenceSet(sequence), pictureSet(), pictureSet(9)];
  const writer = new AnnexBWriter("h264");
  writer.write(joined(sps, first, idr));
  writer.write(joined(late, slice(sequence, { type: "P", number: 1, order: 2, luma: 9 })));
  const { bytes, keyframe } = writer.write(idr);
  assert.ok(keyframe);
  assert.deepEqual(bytes, joined(sps, first, late, idr));
});

Deno.test("What is no access unit costs itself, and what hangs on it until the next keyframe", async () => {
  const units = await accessUnits({ frames: 10, gop: 5 });
  const tracker = new GroupTracker(silent);
  const taken = units.map((unit, offset) => {
    try {
      return tracker.take(frameOf(offset === 2 ? Uint8Array.of(1, 2, 3) : unit, offset));
    } catch (error) {
      assert.ok(error instanceof BadFrameError);
      return error.reason;
    }
  });
  assert.deepEqual(taken, [
    ...["unit", "unit", "corrupt", "no-keyframe", "no-keyframe"],
    ...Array(5).fill("unit"),
  ]);
});

Deno.test("Units beyond all limits are bad frames, and take neither time nor memory", async () => {
  const start = Uint8Array.of(0, 0, 1);
  for (const codec of ["h264", "h265"] as const) {
    const { sps, type } = NAL_TYPES[codec];
    const nals = [...nalUnits((await accessUnits({ codec, frames: 1 }))[0]!)];
    const padded = (length: number) =>
      joined(...nals.flatMap((nal) => [
        start,
        type(nal[0]!) === sps ? joined(nal, new Uint8Array(length).fill(85)) : nal,
      ]));
    const many = Uint8Array.from({ length: 100_000 }, (_, at) => [0, 0, 1, 85][at & 3]!);
    const limits = { "a parameter set has": padded(70_000), "NAL units": joined(padded(0), many) };
    for (const [said, unit] of Object.entries(limits)) {
      assert.throws(
        () => new GroupTracker(silent).take(frameOf(unit, 0, codec)),
        (error) => error instanceof BadFrameError && error.message.includes(said),
      );
    }
    const unit = padded(60_000);
    const tracker = new GroupTracker(silent);
    const frame = frameOf(unit, 0, codec);
    assert.equal(tracker.take(frame), "unit");
    assert.ok(configurationOf(codec, unit).length > 60_000);
    (await pictureOf(frame)).release();
    await tracker.close();
  }
});

Deno.test("Units before the first keyframe and after a gap are not decoded", async () => {
  const units = await accessUnits({ frames: 15, gop: 5 });
  const reports: string[] = [];
  const tracker = new GroupTracker((message) => reports.push(message));
  const taken = [3, 4, 5, 6, 8, 9, 10, 11].map((seq) =>
    tracker.take(frameOf(units[seq]!, seq, "h264", { session: "a", seq: String(seq) }))
  );
  assert.deepEqual(taken, [
    ...["no-keyframe", "no-keyframe", "unit", "unit"],
    ...["no-keyframe", "no-keyframe", "unit", "unit"],
  ]);
  const image = { ...frameOf(new Uint8Array(1), 12), headers: {} };
  assert.equal(tracker.take(image), "image");
  for (let i = 0; i < 100; i++) tracker.take(frameOf(units[6]!, 13 + i));
  assert.equal(reports.length, 1);
  assert.match(
    reports[0]!,
    /No keyframe among the last 100 access units of VideoStreaming partition 0/,
  );
});

Deno.test("H.264's own numbers tell that a frame is missing, whichever it is, also where they begin again", async () => {
  // Numbers of four bits: they begin again after 15. Of frame 17 it is 1, as after a frame that resets them.
  const units = await accessUnits({ frames: 30, gop: 30, parameters: "keyint=1000:ref=1" });
  const taken = (kept: readonly Uint8Array[]) => {
    const tracker = new GroupTracker(silent);
    return kept.map((unit, offset) => tracker.take(frameOf(unit, offset)));
  };
  assert.deepEqual(new Set(taken(units)), new Set(["unit"]));
  for (let missing = 1; missing < 29; missing++) {
    if (missing === 16) continue;
    const kept = units.toSpliced(missing, 1);
    const kinds = taken(kept);
    assert.deepEqual(kinds, kept.map((_, i) => i < missing ? "unit" : "no-keyframe"), `${missing}`);
  }
});

Deno.test("A model sees an access unit at the size that it takes, decoded once", async () => {
  const units = await accessUnits({ frames: 2, gop: 2, width: 64, height: 48 });
  const tracker = new GroupTracker(silent);
  const [, frame] = units.map((unit, offset) => {
    const frame = frameOf(unit, offset);
    tracker.take(frame);
    return frame;
  });
  const zero = { mean: [0, 0, 0], std: [1, 1, 1], scale: 1, resize: "fill", order: "HWC" } as const;
  for (const [width, height, color] of [[32, 24, "RGB"], [64, 48, "GRAY"]] as const) {
    const picture = await pictureOf(frame!);
    const tensorizer = new Tensorizer({ ...zero, width, height, color, dtype: "uint8" });
    const { data, placement } = await tensorizer.ofPicture(picture);
    const by = 64 / width as Denominator;
    assert.equal(placement.denominator, by);
    const pixels = await picture.pixels(color === "RGB" ? 3 : 1, by);
    picture.release();
    assert.deepEqual(data, new Uint8Array(pixels.data));
    pixels.release();
  }
  await tracker.close();
});

Deno.test("A group ends where another codec begins, and where it is longer than a reader can go back", async () => {
  const [key, next] = await accessUnits({ frames: 2, gop: 2 });
  const [, foreign] = await accessUnits({ codec: "h265", frames: 2, gop: 2 });
  const reports: string[] = [];
  const tracker = new GroupTracker((message) => reports.push(message));
  let offset = 0;
  const take = (unit: Uint8Array, codec?: string) => tracker.take(frameOf(unit, offset++, codec));
  assert.deepEqual([take(key!), take(next!)], ["unit", "unit"]);
  assert.deepEqual([take(foreign!, "h265"), take(next!)], ["no-keyframe", "no-keyframe"]);
  assert.equal(take(key!), "unit");
  for (let i = 1; i < 3_000; i++) assert.equal(take(next!), "unit");
  assert.deepEqual(reports, []);
  assert.equal(take(next!), "no-keyframe");
  assert.match(
    reports.join(),
    /^A group of pictures in VideoStreaming partition 0 has reached 3000 access units and \d+ bytes/,
  );
  assert.equal(take(key!), "unit");
});

Deno.test("A restart goes back to the keyframe that the oldest frame needed hangs on", async () => {
  const units = await accessUnits({ frames: 20, gop: 5 });
  const tracker = new GroupTracker(silent);
  const needed: number[] = [];
  for (const [offset, unit] of units.entries()) {
    tracker.take(frameOf(unit, offset));
    needed.push(tracker.neededFor(Math.max(0, offset - 2)));
  }
  assert.deepEqual(needed, [0, 0, 0, 0, 0, 0, 0, 5, 5, 5, 5, 5, 10, 10, 10, 10, 10, 15, 15, 15]);
  assert.equal(tracker.neededFor(20), 15);
  tracker.interrupt();
  assert.equal(tracker.neededFor(21), 21);
});

Deno.test("A damaged unit is a bad frame, and so is what depends on it", async () => {
  for (const here of [false, true]) await decodeDamaged(here);
});

async function decodeDamaged(here: boolean): Promise<void> {
  const units = await accessUnits({ frames: 10, gop: 5 });
  const tracker = new GroupTracker(silent, { here });
  const frames = units.map((unit, offset) => {
    // The rest of it was lost on the way.
    return frameOf(offset === 2 ? unit.subarray(0, unit.length >> 1) : unit, offset);
  });
  const reasons: string[] = [];
  for (const frame of frames) {
    tracker.take(frame);
    try {
      await grey(frame);
      reasons.push("good");
    } catch (error) {
      assert.ok(error instanceof BadFrameError, String(error));
      reasons.push(error.reason);
    }
  }
  assert.deepEqual(reasons.slice(0, 2), ["good", "good"]);
  assert.deepEqual(reasons.slice(2, 5), ["corrupt", "damaged", "damaged"]);
  assert.deepEqual(reasons.slice(5), Array(5).fill("good"));
  assert.notEqual(unitOf(frames[0]!.value), undefined);
  await tracker.close();
}
