/**
 * One small file of each kind, against what `ffmpeg` on the same machine makes of it: count, spacing and
 * pixels. `docs/cameras.md` lists the kinds.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { makeSource } from "../../cameras/open.ts";
import { decodeImage } from "../../runtime/image/decode.ts";
import { encodeJpeg } from "../../runtime/image/jpeg.ts";
import type { SourceImage } from "../../cameras/source.ts";
import { withFolder } from "../support/folder.ts";
import { LEAST_DECIBELS, STREAM_KINDS, VIDEO_KINDS, type VideoKind } from "./corpus.ts";
import { IMAGE_KINDS } from "./corpus_images.ts";
import { take } from "./kit.ts";

const QUALITY = 95;

/** What `ffmpeg` writes to standard output, and what it says. */
async function ffmpeg(args: readonly string[]): Promise<{ output: Uint8Array; said: string }> {
  const command = new Deno.Command("ffmpeg", {
    args: ["-hide_banner", "-nostats", ...args],
    stdin: "null",
  });
  const { success, stdout, stderr } = await command.output();
  const said = new TextDecoder().decode(stderr);
  assert.ok(success, `ffmpeg ${args.join(" ")}: ${said}`);
  return { output: stdout, said };
}

const missing = await ffmpeg(["-version"]).then(() => false, () => true);

/** Peak signal to noise, decibels, of the worst frame, both made JPEGs in the same way. */
async function compare(values: readonly Uint8Array[], raw: Uint8Array): Promise<number> {
  let worst = Infinity;
  let at = 0;
  for (const value of values) {
    const ours = await decodeImage(value, 4);
    const { width, height } = ours;
    const data = raw.subarray(at, at += width * height * 4);
    assert.equal(data.length, width * height * 4, "ffmpeg gives fewer frames or another size");
    const reference = await encodeJpeg({ data, width, height, channels: 4 }, { quality: QUALITY });
    const theirs = await decodeImage(reference, 4);
    let squares = 0;
    for (let i = 0; i < data.length; i++) squares += (ours.data[i]! - theirs.data[i]!) ** 2;
    worst = Math.min(worst, 10 * Math.log10(255 ** 2 * data.length / squares));
    ours.release();
    theirs.release();
  }
  assert.equal(at, raw.length, "ffmpeg gives more frames");
  return worst;
}

/** Makes the file of a kind. */
async function make(folder: string, kind: VideoKind): Promise<string> {
  const { file, encode, size = "160x120", duration = 0.4, remux } = kind;
  const path = join(folder, file);
  const input = `testsrc2=size=${size}:rate=25:duration=${duration}`;
  await ffmpeg(["-f", "lavfi", "-i", input, ...encode.split(" "), path]);
  if (remux === undefined) return path;
  const copy = join(folder, `copy${file.slice(file.lastIndexOf("."))}`);
  const words = remux.split(" ");
  const seek = words[0] === "-ss" ? words.splice(0, 2) : [];
  await ffmpeg([...seek, "-i", path, ...words, copy]);
  return copy;
}

for (const [name, kind] of Object.entries(VIDEO_KINDS)) {
  Deno.test({
    name: `corpus: ${name}: count, spacing and pixels as ffmpeg's`,
    ignore: missing,
    fn: () =>
      withFolder(async (folder) => {
        const { filters = "null", least = LEAST_DECIBELS } = kind;
        const path = await make(folder, kind);
        const reports: string[] = [];
        const report = (text: string) => void reports.push(text);
        const images = await take(makeSource(path, { quality: QUALITY }), Infinity, { report });
        assert.deepEqual(reports, []);
        const { output, said } = await ffmpeg([
          ...["-i", path, "-vf", `${filters},showinfo`, "-vsync", "passthrough"],
          ...["-f", "rawvideo", "-pix_fmt", "rgb0", "-"],
        ]);
        const decibels = await compare(images.map(({ value }) => value), output);
        assert.ok(decibels > least, `${decibels.toFixed(1)} dB`);
        const times = [...said.matchAll(/ pts_time:(-?[\d.]+)/g)].map(([, time]) => Number(time));
        assert.equal(times.length, images.length);
        assert.deepEqual(
          images.map(({ timestamp }) => Math.round(timestamp)),
          times.map((time) => Math.round((time - times[0]!) * 1000)),
        );
      }),
  });
}

Deno.test({
  name: "corpus: two recordings joined in TS, an hour between, or back",
  ignore: missing,
  fn: () =>
    withFolder(async (folder) => {
      const recording = async (name: string, offset: number) => {
        const path = join(folder, name);
        await ffmpeg([
          ...["-f", "lavfi", "-i", "testsrc2=size=160x120:rate=25:duration=0.4"],
          ..."-c:v libx264 -preset ultrafast -g 5 -output_ts_offset".split(" "),
          ...[String(offset), path],
        ]);
        return await Deno.readFile(path);
      };
      const [early, late] = [await recording("1.ts", 0), await recording("2.ts", 3_600)];
      for (const joined of [[early, late], [late, early]]) {
        const path = join(folder, "joined.ts");
        await Deno.writeFile(path, Uint8Array.from(joined.flatMap((bytes) => [...bytes])));
        const images = await take(makeSource(path, { quality: QUALITY }));
        assert.deepEqual(
          images.map(({ timestamp }) => Math.round(timestamp)),
          Array.from({ length: 20 }, (_, i) => i * 40),
        );
        const { output } = await ffmpeg([
          ...["-i", path, "-vsync", "passthrough", "-f", "rawvideo", "-pix_fmt", "rgb0", "-"],
        ]);
        assert.ok(await compare(images.map(({ value }) => value), output) > LEAST_DECIBELS);
      }
    }),
});

Deno.test({
  name: "corpus: frames larger than queries accept are skipped, and the reason is reported",
  ignore: missing,
  fn: () =>
    withFolder(async (folder) => {
      const kind = { file: "a.mkv", size: "65536x2", encode: "-c:v ffv1", duration: 0.08 };
      const path = await make(folder, kind);
      const reports: string[] = [];
      const report = (text: string) => void reports.push(text);
      await assert.rejects(take(makeSource(path), Infinity, { report }), { code: "CORRUPT" });
      assert.match(reports.join(), /65536x2 pixels: at most .* 65500 on a side; it is skipped/);
    }),
});

Deno.test({
  name: "corpus: the picture of a sound file, which has no rate, is repeated at 25 frames a second",
  ignore: missing,
  fn: () =>
    withFolder(async (folder) => {
      const path = join(folder, "a.mp3");
      await ffmpeg([
        ...[
          "-f",
          "lavfi",
          "-i",
          "sine=d=1",
          "-f",
          "lavfi",
          "-i",
          "testsrc2=size=160x120:duration=0.04",
        ],
        ...["-map", "0", "-map", "1", "-frames:v", "1", "-disposition:v", "attached_pic", path],
      ]);
      const images = await take(makeSource(path, { loop: true }), 3);
      assert.deepEqual(images.map(({ timestamp }) => timestamp), [0, 40, 80]);
    }),
});

Deno.test({
  name: "corpus: a film whose sound or last frame is longer is whole, one that is cut off is not",
  ignore: missing,
  fn: () =>
    withFolder(async (folder) => {
      const film = join(folder, "film.mp4");
      const encode = "-c:v libx264 -preset ultrafast -movflags faststart".split(" ");
      await ffmpeg([
        ...["-f", "lavfi", "-i", "testsrc2=size=160x120:rate=25:duration=3"],
        ...["-f", "lavfi", "-i", "sine=d=9", ...encode, film],
      ]);
      const lastFrame = ["-an", "-bsf:v", "setts=duration=if(eq(N\\,74)\\,9/TB\\,DURATION)"];
      for (const file of ["a.mkv", "a.mp4"]) {
        const path = join(folder, file);
        for (const more of [lastFrame, []]) {
          await ffmpeg(["-i", film, "-y", "-c", "copy", ...more, ...encode.slice(4), path]);
          assert.equal((await take(makeSource(path))).length, 75, `${more}, ${file}`);
        }
        const whole = await Deno.readFile(path);
        await Deno.writeFile(path, whole.subarray(0, Math.round(whole.length * 0.7)));
        await assert.rejects(take(makeSource(path)), /it is cut off after \d+ frames/, file);
      }
    }),
});

/** JPEGs of two encoders, of which one may halve the chroma. */
const TURNED_DECIBELS = 30;
const PICTURE = { width: 48, height: 32 };

for (const [name, { file, make, tail = "", turn }] of Object.entries(IMAGE_KINDS)) {
  Deno.test({
    name: `corpus: ${name}: ${turn === undefined ? "byte for byte" : "pixels as ffmpeg's"}`,
    ignore: missing,
    fn: () =>
      withFolder(async (folder) => {
        const { default: sharp } = await import("sharp");
        const { width, height } = PICTURE;
        const { output } = await ffmpeg([
          ...["-f", "lavfi", "-i", `testsrc2=size=${width}x${height}:duration=0.04:rate=25`],
          ...["-f", "rawvideo", "-pix_fmt", "rgb24", "-"],
        ]);
        const picture = sharp(output, { raw: { ...PICTURE, channels: 3 } });
        const whole = await make(picture).toBuffer();
        const bytes = Uint8Array.from([...whole, ...new TextEncoder().encode(tail)]);
        const path = join(folder, file);
        await Deno.writeFile(path, bytes);
        const settings = { loop: false, ...(turn === undefined ? {} : { quality: QUALITY }) };
        const images = await take(makeSource(folder, settings));
        assert.equal(images.length, 1);
        if (turn === undefined) return assert.deepEqual(images[0]!.value, bytes);
        const upright = await ffmpeg([
          ...["-noautorotate", "-i", path, "-vf", turn],
          ...["-f", "rawvideo", "-pix_fmt", "rgb0", "-"],
        ]);
        const decibels = await compare([images[0]!.value], upright.output);
        assert.ok(decibels > TURNED_DECIBELS, `${decibels.toFixed(1)} dB`);
        if (!file.endsWith(".jpg")) return;
        // A single JPEG is a video file too; it is made anew with less quality.
        const [{ value }] = await take(makeSource(path)) as [SourceImage];
        assert.ok(await compare([value], upright.output) > TURNED_DECIBELS - 5);
      }),
  });
}

Deno.test("corpus: the table of docs/cameras.md is that of the tests", async () => {
  const root = new URL("../../", import.meta.url);
  const rows = [
    ...Object.entries(VIDEO_KINDS).map(([name, { least }]) => [
      name,
      "equal",
      least === undefined ? "equal" : `over ${least} dB`,
    ]),
    ...Object.entries(IMAGE_KINDS).map(([name, { turn }]) => [
      name,
      "equal",
      turn === undefined ? "byte for byte" : `over ${TURNED_DECIBELS} dB`,
    ]),
  ];
  for (const { kind, spacing, pixels, test, file } of STREAM_KINDS) {
    rows.push([kind, spacing, pixels]);
    const code = await Deno.readTextFile(new URL(`tests/cameras/${file}`, root));
    assert.ok(code.includes(`"${test}"`), `${file} holds no test ${test}`);
  }
  const docs = await Deno.readTextFile(new URL("docs/cameras.md", root));
  const [, table = ""] = /\n\| kind +\|[^\n]*\n\|[^\n]*\n((?:\|[^\n]*\n)+)/.exec(docs) ?? [];
  const written = table.trimEnd().split("\n").map((line) =>
    line.split("|").slice(1, -1).map((cell) => cell.trim())
  );
  assert.deepEqual(
    written,
    rows,
    `expected these rows:\n${rows.map((row) => `| ${row.join(" | ")} |`).join("\n")}`,
  );
});
