import assert from "node:assert/strict";
import { checkSource, makeSource } from "../../cameras/open.ts";
import { parseSource } from "../../cli/camera_options.ts";
import { SourceError } from "../../cameras/source.ts";
import { decodeImage } from "../../runtime/image/decode.ts";
import { ticks } from "../../cameras/ticker.ts";
import { FakeClock } from "../../runtime/testing.ts";
import { burntIn, context, sleptClock, take } from "./kit.ts";

Deno.test("pattern: burns in the number of each frame, at any size", async () => {
  for (const size of ["640x480", "160x120", "333x251"]) {
    const images = await take(makeSource(`pattern:?size=${size}&fps=100`), 5);
    const [width, height] = size.split("x").map(Number);
    for (const [seq, image] of images.entries()) {
      assert.equal(await burntIn(image.value), seq);
      assert.deepEqual([image.width, image.height], [width, height]);
      const picture = await decodeImage(image.value, 1);
      assert.deepEqual([picture.width, picture.height], [width, height]);
      picture.release();
    }
  }
});

Deno.test("pattern: beats at its rate on the clock, and moves", async () => {
  const images = await take(makeSource("pattern:", { fps: 50 }), 6, { clock: sleptClock() });
  const steps = images.slice(1).map(({ timestamp }, i) => timestamp - images[i]!.timestamp);
  assert.deepEqual(steps, [20, 20, 20, 20, 20]);
  const [first, last] = await Promise.all(
    [images[0]!, images[5]!].map(({ value }) => decodeImage(value, 1)),
  );
  // The middle rows hold ball and beam, and no text.
  const rows = (data: Uint8Array) => data.subarray(640 * 400, 640 * 440);
  assert.notDeepEqual(rows(first!.data), rows(last!.data));
});

Deno.test("a reader that is late gets the present time, and the beat goes on from there", async () => {
  const clock = new FakeClock(50_000);
  const stamps: number[] = [];
  for await (const stamp of ticks(10, context({ clock }))) {
    if (stamps.push(stamp - 50_000) === 4) break;
    await clock.advance(stamps.length === 2 ? 950 : 100);
  }
  assert.deepEqual(stamps, [0, 100, 1_050, 1_150]);
});

Deno.test("pattern: refuses what it does not know, all of it at once", () => {
  const faulty = (text: string, ...expected: RegExp[]) => {
    for (const message of expected) {
      assert.throws(
        () => checkSource(text),
        (error) =>
          error instanceof SourceError && error.code === "INVALID" && message.test(error.message),
        `${text} ${message}`,
      );
    }
  };
  faulty(
    "pattern:?size=1x1&fps=0&color=red",
    /expected WIDTHxHEIGHT/,
    /expected frames per second/,
    /unknown option "color": expected size, fps/,
  );
  // The command names the source itself.
  assert.throws(() => parseSource("pattern:?size=1x1&fps=0"), {
    message: /^size=1x1: expected WIDTHxHEIGHT.*; fps=0: expected frames per second/,
  });
  faulty("ftp://host/clip.mp4", /starts with "ftp:": expected a video file/);
  faulty("", /empty source/);
});
