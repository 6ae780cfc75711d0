/** H.264 and H.265 in the packets of RTP (RFC 6184, RFC 7798): as cameras pack them, and with packets lost. */
import assert from "node:assert/strict";
import { join } from "node:path";
// Loads FFmpeg before the tests begin, each of which must leave as much as it found.
import "../../runtime/video/h264_encoding.ts";
import { makeSource } from "../../cameras/open.ts";
import { SourceError, type SourceImage } from "../../cameras/source.ts";
import { systemClock } from "../../runtime/base/clock.ts";
import { BadFrameError } from "../../runtime/definition/frame.ts";
import { NAL_TYPES, nalUnits, type VideoCodec } from "../../runtime/video/access_unit.ts";
import { GroupTracker, unitOf } from "../../runtime/video/groups.ts";
import { framesOf, lumaOf, planeOf } from "../runtime/video/corpus.ts";
import { accessUnits } from "../support/access_units.ts";
import { joined } from "../support/h264_writer.ts";
import {
  describeAnswer,
  type RtspScript,
  sdp,
  track,
  withScriptedRtsp,
} from "../support/scripted_rtsp.ts";
import { withFolder } from "../support/folder.ts";
import { makeVideo } from "../support/videos.ts";
import { take } from "./kit.ts";

const CODECS = ["h264", "h265"] as const;
const GOP = 8;
const FRAMES = 3 * GOP;
const START = Uint8Array.of(0, 0, 0, 1);

const nalsOf = (unit: Uint8Array) => [...nalUnits(unit)].map((nal) => nal.toBase64());

/** What a camera copies of a stream that is played over and over. */
async function copied(
  script: Omit<RtspScript, "before">,
  count = FRAMES,
): Promise<readonly SourceImage[]> {
  let images: readonly SourceImage[] = [];
  await withScriptedRtsp({ ...script, before: () => systemClock.sleep(4) }, async (url) => {
    images = await take(makeSource(url, { codec: "copy" }), count);
  });
  return images;
}

/** The parameter sets of a keyframe, as a session description names them, and the units without them. */
function withoutSets(codec: VideoCodec, units: readonly Uint8Array[]) {
  const { parameterSets, type } = NAL_TYPES[codec];
  const isSet = (nal: Uint8Array) => parameterSets.includes(type(nal[0]!));
  const texts = [...nalUnits(units[0]!)].filter(isSet).map((set) => set.toBase64());
  const sets = codec === "h264"
    ? `sprop-parameter-sets=${texts.join()}`
    : ["vps", "sps", "pps"].map((name, i) => `sprop-${name}=${texts[i]}`).join(";");
  const rest = units.map((unit) =>
    joined(...[...nalUnits(unit)].filter((nal) => !isSet(nal)).flatMap((nal) => [START, nal]))
  );
  return { sets, texts, rest };
}

for (const codec of CODECS) {
  Deno.test(`RTSP, ${codec}: parameter sets that stand in the description alone come with each keyframe`, async () => {
    const units = await accessUnits({ codec, frames: FRAMES, gop: GOP });
    const { sets, texts, rest } = withoutSets(codec, units);
    const images = await copied({ units: rest, codec, sets });
    for (const [i, { value, headers }] of images.entries()) {
      const keyframe = i % GOP === 0;
      assert.equal(headers?.["keyframe"], keyframe ? "1" : undefined);
      assert.deepEqual(
        nalsOf(value),
        [...keyframe ? texts : [], ...nalsOf(rest[i]!)],
        `frame ${i}`,
      );
    }
    assert.deepEqual(
      await lumaOf(images.map(({ value }) => value), codec),
      await lumaOf(units, codec),
    );
  });

  Deno.test(`RTSP, ${codec}: aggregation packets and fragments come as the units that they hold`, async () => {
    const parameters = "slices=4:aud=1";
    const size = { width: 320, height: 192 };
    const units = await accessUnits({ codec, frames: FRAMES, gop: GOP, parameters, ...size });
    for (const together of [2, 9]) {
      const images = await copied({ units, codec, together });
      assert.deepEqual(images.map(({ value }) => nalsOf(value)), units.map(nalsOf));
    }
  });

  Deno.test(`RTSP, ${codec}: parameter sets that allow another order, and a camera's clock that is set back`, async () => {
    const parameters = "bframes=2:b-adapt=0:rc-lookahead=4:open-gop=0";
    const types = (index: number) => index % GOP === 0 ? "I" : "P";
    const units = await accessUnits({ codec, frames: FRAMES, gop: GOP, parameters, types });
    for (const back of [0, 300, 5_000, 3_600_000]) {
      const streamMs = (index: number) => 4_000_000 + index * 40 - (index < GOP + 3 ? 0 : back);
      const images = await copied({ units, codec, streamMs });
      assert.deepEqual(images.map(({ value }) => nalsOf(value)), units.map(nalsOf), `${back}`);
    }
  });

  Deno.test(`RTSP, ${codec}: a resolution that changes at a keyframe goes on with its own parameter sets`, async () => {
    const sizes = [[160, 96], [320, 192], [96, 160]] as const;
    const groups = await Promise.all(
      sizes.map(([width, height]) => accessUnits({ codec, frames: GOP, gop: GOP, width, height })),
    );
    const units = groups.flat();
    const images = await copied({ units, codec });
    assert.deepEqual(images.map(({ value }) => nalsOf(value)), units.map(nalsOf));
    assert.deepEqual(
      images.map(({ width, height }) => [width, height]),
      units.map((_, i) => sizes[Math.floor(i / GOP)]!),
    );
  });
}

Deno.test("RTSP whose frames hold two fields each becomes JPEG unless it is to be copied", async () => {
  const units = await accessUnits({ codec: "h264", frames: 16, gop: 8, parameters: "tff=1" });
  await withScriptedRtsp({ units, before: () => systemClock.sleep(4) }, async (url) => {
    const types = await Promise.all(
      (["auto", "copy"] as const).map(async (codec) =>
        (await take(makeSource(url, { codec }), 1))[0]!.contentType
      ),
    );
    assert.deepEqual(types, ["image/jpeg", "video/h264"]);
  });
});

Deno.test("RTSP that carries MPEG-TS is read as any stream; of one with losses whole frames are copied", async () => {
  await withFolder(async (folder) => {
    const path = join(folder, "film.ts");
    await makeVideo(path, { frames: 60, width: 640, height: 480 });
    const whole = (await take(makeSource(path, { codec: "copy" }))).map(({ value }) => value);
    const film = await Deno.readFile(path);
    const bytes = 7 * 188;
    const units = Array.from(
      { length: Math.floor(film.length / bytes) },
      (_, i) => film.subarray(i * bytes, (i + 1) * bytes),
    );
    assert.deepEqual(
      (await copied({ units, mpegTs: true }, 40)).map(({ value }) => nalsOf(value)),
      whole.slice(0, 40).map(nalsOf),
    );
    const places = new Set(whole.map((value) => nalsOf(value).join()));
    for (const part of [3, 4, 5]) {
      const at = Math.floor(units.length * part / 12);
      const left = await copied({ units, mpegTs: true, lost: (index) => index === at }, 40);
      const damaged = left.filter(({ value }) => !places.has(nalsOf(value).join()));
      assert.equal(damaged.length, 0, `part ${part}`);
    }
    const over = Promise.withResolvers<false>();
    const before = (index: number) => index < 3 ? Promise.resolve() : over.promise;
    await withScriptedRtsp({ units, mpegTs: true, before }, async (url) => {
      const images = take(makeSource(url, { openTimeoutMs: 500 }), 1);
      await assert.rejects(images, /no video came within 0.5 s/).finally(() => over.resolve(false));
    });
  });
});

/** The place in the stream of each picture that a lane decodes; why it decodes none, or `wrong`. */
async function decoded(
  images: readonly SourceImage[],
  codec: VideoCodec,
  expected: readonly string[],
): Promise<(number | string)[]> {
  const tracker = new GroupTracker(() => {}, { here: true });
  const places: (number | string)[] = [];
  for (const frame of framesOf(images.map(({ value }) => value), codec)) {
    try {
      if (tracker.take(frame) !== "unit") {
        places.push("no-keyframe");
        continue;
      }
      const unit = unitOf(frame.value)!;
      const picture = await (await unit.group.decoder()).picture(unit);
      const place = expected.indexOf(planeOf(picture));
      places.push(place === -1 ? "wrong" : place);
      picture.release();
    } catch (error) {
      if (!(error instanceof BadFrameError)) throw error;
      places.push(error.reason);
    }
  }
  await tracker.close();
  return places;
}

const AT = GOP + 3;

/** Which packets are lost, and which frames are then left out: from the first to before the second. */
const LOSSES: Readonly<
  Record<string, [lost: NonNullable<RtspScript["lost"]>, from: number, to: number]>
> = {
  "a whole frame": [(index) => index === AT, AT, 2 * GOP],
  "two frames": [(index) => index === AT || index === AT + 1, AT, 2 * GOP],
  "the first fragment": [(index, at) => index === AT && at === 0, AT, 2 * GOP],
  "a fragment in the middle": [(index, at) => index === AT && at === 1, AT, 2 * GOP],
  "the last fragment": [(index, at, of) => index === AT && at === of - 1, AT, 2 * GOP],
  "the end of a group": [
    (index, at, of) => index === 2 * GOP - 1 && at === of - 1,
    2 * GOP - 1,
    2 * GOP,
  ],
  "a whole keyframe": [(index) => index === GOP, GOP, 2 * GOP],
  "a keyframe's slice": [(index, at, of) => index === GOP && at === of - 2, GOP, 2 * GOP],
  "all but keyframes": [(index) => index % GOP !== 0, 0, 0],
};

for (const codec of CODECS) {
  Deno.test(`RTSP, ${codec}: a lost packet costs its frame and what depends on it, and no wrong picture is published`, async () => {
    // Each frame has several fragments.
    const size = {
      width: 640,
      height: 480,
      parameters: codec === "h264" ? "bitrate=3000" : "crf=8",
    };
    const units = await accessUnits({ codec, ...size, frames: FRAMES, gop: GOP });
    const expected = await lumaOf(units, codec);
    for (const [name, [lost, from, to]] of Object.entries(LOSSES)) {
      const kept = expected.map((_, i) => i)
        .filter((i) => to === 0 ? i % GOP === 0 : i < from || i >= to);
      const images = await copied({ units, codec, lost }, kept.length);
      const places = await decoded(images, codec, expected);
      assert.deepEqual(places, kept, `${name}: ${places}`);
    }
  });
}

type Script = Partial<RtspScript>;

/** Ways of sending. */
const WAYS: Readonly<Record<string, Script>> = {
  "one unit a packet": {},
  "aggregation packets": { together: 9 },
  "sources and extensions in the headers": { extended: true },
  "packets without a payload": { extra: { type: 96, payload: new Uint8Array() } },
  "packets of another type": { extra: { type: 100, payload: Uint8Array.of(1, 2, 3) } },
};

/** Numbers that are left out before a frame, from the same source or another one. */
function gaps(at: number): Readonly<Record<string, Script>> {
  return Object.fromEntries(
    [0, 1, 2_999, 3_000, 3_001, 40_000, 65_000].flatMap((numbers) => {
      const jump = (index: number) => index === at ? numbers : 0;
      const source = (index: number) => index < at ? 7 : 8;
      return [[`a gap of ${numbers}`, { jump }], [`a source after ${numbers}`, { jump, source }]];
    }).slice(1),
  );
}

/** Plays all scripts at once: what came of those that do not give the units expected, all NAL units alike. */
async function wrong(
  play: Script & Pick<RtspScript, "units">,
  scripts: Readonly<Record<string, Script>>,
  expected: readonly Uint8Array[],
): Promise<string[]> {
  const texts = expected.map((unit) => nalsOf(unit).join());
  const all = Object.entries(scripts).map(async ([name, script]) => {
    const images = await copied({ ...play, ...script }, expected.length);
    const places = images.map(({ value }) => texts.indexOf(nalsOf(value).join()));
    return places.every((place, i) => place === i) ? [] : [`${name}: ${places}`];
  });
  return (await Promise.all(all)).flat();
}

for (const codec of CODECS) {
  Deno.test(`RTSP, ${codec}: a keyframe after a loss is whole, whatever it begins with`, async () => {
    const options = { codec, frames: FRAMES, gop: GOP, width: 320, height: 192 };
    const plain = await accessUnits(options);
    const parameters = codec === "h264" ? "aud=1:slices=2" : "aud=1:hash=1";
    const delimited = await accessUnits({ ...options, parameters });
    const { sets, texts, rest } = withoutSets(codec, plain);
    const message = rest.map((unit, i) =>
      i % GOP === 0
        ? joined(...texts.flatMap((set) => [START, Uint8Array.fromBase64(set)]), unit)
        : unit
    );
    const streams = [
      [{ units: delimited }, delimited],
      [{ units: plain }, plain],
      [{ units: rest, sets }, message],
    ] as const;
    const lost: RtspScript["lost"] = (index) => index === GOP - 1;
    for (const [stream, whole] of streams) {
      const kept = whole.filter((_, i) => i !== GOP - 1);
      assert.deepEqual(await wrong({ ...stream, codec, lost }, WAYS, kept), []);
      assert.deepEqual(await wrong({ ...stream, codec }, gaps(GOP), whole), []);
    }
    const { "aggregation packets": _, ...apart } = WAYS;
    const allButDelimiter: RtspScript["lost"] = (index, at) => index === GOP - 1 && at > 0;
    const kept = delimited.filter((_, i) => i !== GOP - 1);
    const stream = { units: delimited, codec, lost: allButDelimiter };
    assert.deepEqual(await wrong(stream, apart, kept), []);
  });

  Deno.test(`RTSP, ${codec}: a loss before another frame costs its group, whatever comes between`, async () => {
    const plain = await accessUnits({ codec, frames: FRAMES, gop: GOP });
    const { texts } = withoutSets(codec, plain);
    const sets = joined(...texts.flatMap((text) => [START, Uint8Array.fromBase64(text)]));
    const withSets = plain.map((unit, i) => i % GOP === 0 ? unit : joined(sets, unit));
    const second = track({ codec: codec === "h264" ? "h265" : "h264" });
    const answers: Readonly<Record<string, Script>> = {
      "a text in an answer": {
        answer: (method, cseq) => method === "PLAY" ? describeAnswer(cseq, "hello") : undefined,
      },
      "a second track of the same type": {
        answer: (method, cseq) =>
          method === "DESCRIBE" ? describeAnswer(cseq, sdp(track({ codec }) + second)) : undefined,
      },
    };
    const lost: RtspScript["lost"] = (index) => index === AT;
    for (const units of [plain, withSets]) {
      const kept = units.filter((_, i) => i < AT || i >= 2 * GOP);
      assert.deepEqual(await wrong({ units, codec, lost }, { ...WAYS, ...answers }, kept), []);
      assert.deepEqual(await wrong({ units, codec }, gaps(AT), kept), []);
    }
  });
}

Deno.test("RTSP: a stream that loses a part of each keyframe is given up after thousands of packets, and opened again", async () => {
  const units = await accessUnits({ frames: FRAMES, gop: GOP });
  const lost: RtspScript["lost"] = (index, at, of) => index % GOP === 0 && at === of - 1;
  await withScriptedRtsp({ units, lost }, async (url) => {
    await assert.rejects(
      take(makeSource(url, { codec: "copy" }), 1),
      (error) =>
        error instanceof SourceError && error.retryable && /3000 packets/.test(error.message),
    );
  });
});
