/**
 * Small images that unpack to more than decoders get: each costs its frame and hardly any memory, in
 * the query and in the viewer. Large ones that pack well are taken, and take what they hold.
 */
import assert from "node:assert/strict";
import sharp, { type Sharp } from "sharp";
import type { LogRecord } from "../../runtime/log/log.ts";
import { markedRecords } from "../support/checker.ts";
import { FramelaneProcess } from "../support/framelane.ts";
import { withLog } from "../support/log.ts";
import { peakMiB } from "../support/processes.ts";
import { say } from "../support/trial_report.ts";

const MOST_MIB = 64;
const GOOD = 20;

/** A grey picture of this many pixels. */
async function flat(width: number, height: number, encode: (image: Sharp) => Sharp) {
  const background = { r: 90, g: 90, b: 90 };
  const image = sharp({ create: { width, height, channels: 3, background } });
  return new Uint8Array(await encode(image).toBuffer());
}

const ENCODINGS: Readonly<Record<string, (image: Sharp) => Sharp>> = {
  "baseline JPEG": (image) => image.jpeg({ quality: 30 }),
  "progressive JPEG": (image) => image.jpeg({ quality: 30, progressive: true }),
  "PNG": (image) => image.png(),
  "interlaced PNG": (image) => image.png({ progressive: true }),
  "PNG of 16 bits": (image) => image.toColourspace("rgb16").png(),
  "lossy WebP": (image) => image.webp({ quality: 10, effort: 0 }),
  "lossless WebP": (image) => image.webp({ lossless: true, effort: 0 }),
};

/** Pixels a side of what is refused: beyond 64 megapixels, or 512 MiB while it is decoded. */
const BOMBS: Readonly<Record<string, [number, number]>> = {
  "lossy WebP": [7000, 5000],
  "lossless WebP": [7000, 5000],
};

/** Pixels a side of what is taken and needs less than 64 MiB. */
const LARGE: Readonly<Record<string, [number, number]>> = {
  "baseline JPEG": [3840, 2160],
  "progressive JPEG": [1900, 1400],
  "PNG": [2000, 1550],
  "interlaced PNG": [2000, 1550],
  "PNG of 16 bits": [2000, 1550],
  "lossy WebP": [1600, 980],
  "lossless WebP": [1600, 980],
};

function record(value: Uint8Array, seq: number): LogRecord {
  return { key: "CAMERA-1", value, timestamp: Date.now(), headers: { seq: String(seq) } };
}

Deno.test("images that unpack to a lot cost their frame and at most 64 MiB", async () => {
  const bombs = await Promise.all(
    Object.entries(ENCODINGS).map(([name, encode]) => flat(...BOMBS[name] ?? [8100, 8000], encode)),
  );
  const large = await Promise.all(
    Object.entries(ENCODINGS).map(([name, encode]) => flat(...LARGE[name]!, encode)),
  );
  // Decoders are loaded when they are first needed: that is no growth.
  const small = await Promise.all(
    Object.values(ENCODINGS).map((encode) => flat(640, 480, encode)),
  );
  for (const bomb of bombs) assert.ok(bomb.length < 2_000_000, `${bomb.length} bytes are no bomb`);
  await withLog(async (url, log) => {
    await log.createTopic("VideoStreaming", 1);
    const producer = await log.producer();
    await producer.append("VideoStreaming", 0, [
      ...markedRecords(1, GOOD - small.length),
      ...small.map((bytes, i) => record(bytes, GOOD - small.length + i)),
    ]);
    const runtime = new FramelaneProcess([
      ...["queries", "greyscale", "--log", url, "--starting-offsets", "earliest", "--port", "0"],
      ...["--executors", "1", "--json"],
    ]);
    try {
      const done = (outputs: number, bad: number) =>
        runtime.until(`${outputs} outputs, ${bad} dead letters`, (p) => {
          const totals = p.progress(0).at(-1)?.totals;
          return totals?.outputs === outputs && totals.deadLettered === bad;
        });
      await done(GOOD, 0);
      const viewer = runtime.said.map((line) => /Viewer: (\S+)/.exec(line)?.[1]).find(Boolean)!;
      const look = async () => {
        const response = await fetch(`${viewer}cam/1.jpg?width=160`);
        await response.body?.cancel();
        assert.equal(response.status, 200);
      };
      await look();
      const before = await peakMiB(runtime.pid);
      await producer.append("VideoStreaming", 0, bombs.map((bytes, i) => record(bytes, GOOD + i)));
      await done(GOOD, bombs.length);
      const bombed = await peakMiB(runtime.pid);
      say(`bombs: +${Math.round(bombed - before)} MiB`);
      assert.ok(bombed - before <= MOST_MIB, `bombs took ${bombed - before} MiB`);
      for (const [i, bytes] of large.entries()) {
        const since = await peakMiB(runtime.pid);
        await producer.append("VideoStreaming", 0, [record(bytes, GOOD + bombs.length + i)]);
        await done(GOOD + i + 1, bombs.length);
        await look();
        const grown = await peakMiB(runtime.pid) - since;
        const [name, [width, height]] = Object.entries(LARGE)[i]!;
        say(`${name} of ${width}x${height}: +${Math.round(grown)} MiB`);
        assert.ok(grown <= MOST_MIB, `${name} took ${grown} MiB`);
      }
    } finally {
      await producer.close();
      await runtime.kill();
    }
  });
});
