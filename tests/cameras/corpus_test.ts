/**
 * One small video of each kind that cameras and recorders write, against what `ffmpeg` on the same
 * machine makes of it: count, spacing and pixels. `docs/cameras.md` holds the table.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { makeSource } from "../../cameras/open.ts";
import { decodeImage } from "../../runtime/image/decode.ts";
import { encodeJpeg } from "../../runtime/image/jpeg.ts";
import { withFolder } from "../support/folder.ts";
import { take } from "./kit.ts";

interface Kind {
  readonly file: string;
  /** Arguments of `ffmpeg` between the test picture and the file. */
  readonly encode: string;
  readonly size?: string;
  /** `ffmpeg` decodes with these filters, so that it does what the camera declares. */
  readonly filters?: string;
  /** Least likeness, decibels; `LEAST_DECIBELS` unless given. */
  readonly least?: number;
}

const QUALITY = 95;
/** Samples are equal, or rounded otherwise here and there. */
const LEAST_DECIBELS = 60;
/** Two versions of FFmpeg's scaler widen the colours of 10-bit frames in two ways. */
const DEEP = 30;
const INTERLACED = "yadif=mode=send_frame:deint=interlaced";
const X264 = "-c:v libx264 -preset ultrafast -g 5";

const KINDS: Readonly<Record<string, Kind>> = {
  "H.264 in MP4": { file: "a.mp4", encode: X264 },
  "H.264 with B-frames in Matroska": { file: "a.mkv", encode: `${X264} -bf 2` },
  "H.264 as bare units": { file: "a.h264", encode: X264 },
  "H.264 in fragmented MP4": {
    file: "f.mp4",
    encode: `${X264} -movflags frag_keyframe+empty_moov`,
  },
  "H.264 interlaced in TS": {
    file: "i.ts",
    encode: `${X264} -flags +ilme+ildct -x264opts tff=1`,
    filters: INTERLACED,
  },
  "MPEG-2 interlaced in TS": {
    file: "m.ts",
    encode: "-c:v mpeg2video -q:v 3 -flags +ilme+ildct -top 1",
    filters: INTERLACED,
  },
  "H.264, 10 bits": { file: "t.mp4", encode: `${X264} -pix_fmt yuv420p10le`, least: DEEP },
  "H.264, 4:4:4, odd size": {
    file: "o.mp4",
    size: "161x121",
    encode: `${X264} -pix_fmt yuv444p`,
  },
  "H.264, full range": { file: "r.mp4", encode: `${X264} -color_range pc -pix_fmt yuvj420p` },
  "H.264, BT.709": { file: "7.mp4", encode: `${X264} -colorspace bt709` },
  "HDR10": {
    file: "h.mp4",
    least: DEEP,
    encode:
      `${X264} -pix_fmt yuv420p10le -color_primaries bt2020 -color_trc smpte2084 -colorspace bt2020nc`,
  },
  "HLG": {
    file: "l.mp4",
    encode: `${X264} -color_primaries bt2020 -color_trc arib-std-b67 -colorspace bt2020nc`,
  },
  "transfer log100": { file: "g.mp4", encode: `${X264} -color_trc log100` },
  "matrix YCgCo": { file: "y.mp4", encode: `${X264} -colorspace ycgco` },
  "H.265 in MP4": {
    file: "5.mp4",
    encode: "-c:v libx265 -preset ultrafast -x265-params log-level=0",
  },
  "MPEG-4 in AVI": { file: "4.avi", encode: "-c:v mpeg4 -q:v 3" },
  "MJPEG in AVI": { file: "j.avi", encode: "-c:v mjpeg -q:v 3" },
  "VP9 in WebM": { file: "9.webm", encode: "-c:v libvpx-vp9 -b:v 500k -cpu-used 8" },
  "variable rate": { file: "v.mp4", encode: `${X264} -vf select=not(eq(n\\,3)) -vsync vfr` },
  "FLV": { file: "f.flv", encode: X264 },
};

async function ffmpeg(program: "ffmpeg" | "ffprobe", args: readonly string[]): Promise<Uint8Array> {
  const command = new Deno.Command(program, { args: ["-v", "error", ...args], stdin: "null" });
  const { success, stdout, stderr } = await command.output();
  assert.ok(success, `${program} ${args.join(" ")}: ${new TextDecoder().decode(stderr)}`);
  return stdout;
}

const missing = await ffmpeg("ffmpeg", ["-version"]).then(() => false, () => true);

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
    const squares = ours.data.reduce((sum, sample, i) => sum + (sample - theirs.data[i]!) ** 2, 0);
    worst = Math.min(worst, 10 * Math.log10(255 ** 2 * data.length / squares));
    ours.release();
    theirs.release();
  }
  assert.equal(at, raw.length, "ffmpeg gives more frames");
  return worst;
}

for (
  const [name, { file, encode, size = "160x120", filters, least = LEAST_DECIBELS }] of Object
    .entries(KINDS)
) {
  Deno.test({
    name: `corpus: ${name}: count, spacing and pixels as ffmpeg's`,
    ignore: missing,
    fn: () =>
      withFolder(async (folder) => {
        const path = join(folder, file);
        const input = ["-f", "lavfi", "-i", `testsrc2=size=${size}:rate=25:duration=0.4`];
        await ffmpeg("ffmpeg", [...input, ...encode.split(" "), path]);
        const images = await take(makeSource(path, { quality: QUALITY }));
        const raw = await ffmpeg("ffmpeg", [
          ...["-i", path, "-vf", filters ?? "null", "-vsync", "passthrough"],
          ...["-f", "rawvideo", "-pix_fmt", "rgb0", "-"],
        ]);
        const decibels = await compare(images.map(({ value }) => value), raw);
        assert.ok(decibels > least, `${decibels.toFixed(1)} dB`);
        const entry = "frame=best_effort_timestamp_time";
        const listed = await ffmpeg("ffprobe", [
          ...["-select_streams", "v", "-show_entries", entry, "-of", "csv=p=0", path],
        ]);
        const lines = new TextDecoder().decode(listed).split("\n").filter((line) => line !== "");
        const times = lines.map((line) => Number(line.split(",")[0]));
        if (times.some(Number.isNaN)) return; // bare units carry no times
        const spacing = images.map(({ timestamp }) => Math.round(timestamp));
        assert.deepEqual(spacing, times.map((time) => Math.round((time - times[0]!) * 1000)));
      }),
  });
}
