/** Streams as odd as cameras send them: decoded frame by frame they equal what FFmpeg makes of the whole. */
import assert from "node:assert/strict";
// Loads FFmpeg before the tests begin, each of which must leave as much as it found.
import "../../../runtime/video/h264_encoding.ts";
import { inspectAccessUnit, NAL_TYPES, nalUnits } from "../../../runtime/video/access_unit.ts";
import { GroupTracker, unitOf } from "../../../runtime/video/groups.ts";
import { configurationOf } from "../../../runtime/video/unit_copy.ts";
import { accessUnits, type StreamOptions } from "../../support/access_units.ts";
import { framesOf, lumaOf, planeOf } from "./corpus.ts";

const FRAMES = 24;

const CORPUS: Readonly<Record<string, Omit<StreamOptions, "frames">>> = {
  "H.264 baseline": { parameters: "cabac=0:8x8dct=0:weightp=0" },
  "H.264 high, CABAC, 8x8 transform": { parameters: "cabac=1:8x8dct=1:ref=3" },
  "H.264 of 10 bits": { depth: 10 },
  "H.264 interlaced": { parameters: "interlaced=1" },
  "H.264 of the matrix YCgCo": { parameters: "colormatrix=YCgCo" },
  "H.264 of HLG": {
    parameters: "colorprim=bt2020:transfer=arib-std-b67:colormatrix=bt2020nc",
  },
  "H.264 in four slices": { parameters: "slices=4" },
  "H.264 with delimiters and timing SEI": {
    parameters: "aud=1:nal-hrd=vbr:vbv-maxrate=800:vbv-bufsize=800",
  },
  "H.264 with intra refresh after one keyframe": { parameters: "intra-refresh=1", gop: 8 },
  "H.265 main": { codec: "h265" },
  "H.265 with clean random access pictures": { codec: "h265", parameters: "open-gop=1" },
  "H.265 in slices": { codec: "h265", parameters: "slices=2" },
  "H.265 of 10 bits": { codec: "h265", depth: 10 },
};

for (const [name, options] of Object.entries(CORPUS)) {
  Deno.test(`${name}: bit-exact with FFmpeg`, async () => {
    const { codec = "h264", depth = 8 } = options;
    const units = await accessUnits({ gop: 8, ...options, frames: FRAMES });
    assert.equal(units.length, FRAMES);
    const expected = await lumaOf(units, codec);
    assert.equal(expected.length, FRAMES);
    const tracker = new GroupTracker(() => {}, { here: true });
    for (const [index, frame] of framesOf(units, codec).entries()) {
      assert.equal(tracker.take(frame), "unit");
      const unit = unitOf(frame.value)!;
      const picture = await (await unit.group.decoder()).picture(unit);
      assert.equal(planeOf(picture, depth), expected[index], `frame ${index}`);
      // As often as it is asked for.
      for (const channels of [3, 1, 3] as const) (await picture.pixels(channels, 2)).release();
      assert.equal(planeOf(picture, depth), expected[index], `frame ${index}`);
      picture.release();
    }
    await tracker.close();
  });
}

Deno.test("an MP4's record of the codec says how many bits the samples have", async () => {
  const record = async (options: Omit<StreamOptions, "frames">) => {
    const [keyframe] = await accessUnits({ ...options, frames: 1 });
    const configuration = configurationOf(options.codec ?? "h264", keyframe!);
    return Uint8Array.fromBase64(configuration.split(":")[1]!);
  };
  for (const depth of [8, 10] as const) {
    const avc = await record({ depth, parameters: "8x8dct=1" });
    assert.deepEqual(
      [...avc.subarray(-4)],
      [0xfd, 0xf8 | depth - 8, 0xf8 | depth - 8, 0],
      `${depth}`,
    );
    const hevc = await record({ codec: "h265", depth });
    assert.deepEqual(
      [...hevc.subarray(16, 19)],
      [0xfd, 0xf8 | depth - 8, 0xf8 | depth - 8],
      `${depth}`,
    );
  }
});

Deno.test("streams in slices have them", async () => {
  for (
    const [codec, parameters, count] of [["h264", "slices=4", 4], ["h265", "slices=2", 2]] as const
  ) {
    const [unit] = await accessUnits({ codec, parameters, frames: 1 });
    const { slice, type } = NAL_TYPES[codec];
    assert.equal([...nalUnits(unit!)].filter((nal) => slice(type(nal[0]!))).length, count, codec);
  }
});

Deno.test("clean random access pictures are keyframes, as other keyframes are", async () => {
  const units = await accessUnits({ codec: "h265", parameters: "open-gop=1", gop: 8, frames: 17 });
  const types = units.map((unit) => inspectAccessUnit("h265", unit).keyframe);
  assert.deepEqual(types.flatMap((keyframe, index) => keyframe ? [index] : []), [0, 8, 16]);
});

Deno.test("a stream of intra refresh without keyframes says what is missing", async () => {
  const units = await accessUnits({ parameters: "intra-refresh=1", gop: 8, frames: 120 });
  const said: string[] = [];
  const tracker = new GroupTracker((message) => void said.push(message));
  for (const frame of framesOf(units, "h264", 1)) assert.equal(tracker.take(frame), "no-keyframe");
  assert.equal(said.length, 1);
  assert.match(
    said[0]!,
    /^No keyframe among the last 100 access units of VideoStreaming partition 0: .* IDR picture/,
  );
  await tracker.close();
});
