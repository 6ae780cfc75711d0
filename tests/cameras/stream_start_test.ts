// What a server kept and sends at once when it is asked: one frame after the other, up to the present.
import assert from "node:assert/strict";
import { join } from "node:path";
import { Decimator, StreamStart } from "../../cameras/live_time.ts";
import { makeSource } from "../../cameras/open.ts";
import type { CameraSettings } from "../../cameras/settings.ts";
import type { SourceContext } from "../../cameras/source.ts";
import { systemClock } from "../../runtime/base/clock.ts";
import { encodeJpeg } from "../../runtime/image/jpeg.ts";
import { withFolder } from "../support/folder.ts";
import { withScriptedHttp } from "../support/scripted_http.ts";
import { withScriptedRtsp } from "../support/scripted_rtsp.ts";
import { makeVideo } from "../support/videos.ts";
import { context, isPast, take } from "./kit.ts";

const KEPT = 25;
const AFTER = 4;

/** Moved by the server alone: what else takes time on this machine does not count. */
class ServerClock {
  passed = 0;
  now = () => this.passed;
  monotonic = () => this.passed;
  sleep = systemClock.sleep;
}

/** Takes the frames of a stream that begins with a burst; gives the steps between their times. */
async function stepsOf(
  source: string,
  settings: CameraSettings,
  overrides: Partial<SourceContext>,
  onFrame: () => void = () => {},
): Promise<number[]> {
  const count = (settings.fps === 5 ? Math.floor(KEPT / 5) : KEPT) + AFTER;
  const stamps: number[] = [];
  for await (const { timestamp } of (await makeSource(source, settings)).open(context(overrides))) {
    onFrame();
    if (stamps.push(timestamp) === count) break;
  }
  assert.equal(stamps.length, count, source);
  assert.ok(isPast(stamps.at(-1)!), source);
  return stamps.slice(1).map((stamp, i) => stamp - stamps[i]!);
}

Deno.test("RTSP that begins with a burst: frames are spaced as they were filmed from the first on", async () => {
  await withFolder(async (folder) => {
    const film = join(folder, "a.mp4");
    await makeVideo(film, { frames: 40 });
    const units = (await take(makeSource(film, { codec: "copy" }))).map(({ value }) => value);
    let burst = Promise.withResolvers<void>();
    const clock = new ServerClock();
    const before = async (index: number) => {
      if (index < KEPT) return;
      // Frames are given when the burst is over.
      await burst.promise;
      await systemClock.sleep(40);
      clock.passed += 40;
    };
    // FFmpeg takes a first time of 0 for none.
    const streamMs = (index: number) => 7_000 + index * 40;
    await withScriptedRtsp({ units, before, streamMs }, async (url) => {
      for (const settings of [{ codec: "jpeg" }, { codec: "copy" }, { fps: 5 }] as const) {
        burst = Promise.withResolvers();
        const steps = await stepsOf(url, settings, { clock }, () => burst.resolve());
        const step = "fps" in settings ? 200 : 40;
        assert.ok(
          steps.every((ms) => Math.abs(ms - step) < 5),
          `${JSON.stringify(settings)}: ${steps}`,
        );
      }
    });
  });
});

Deno.test("MJPEG that begins with a burst: frames are spaced as the next one is", async () => {
  const data = new Uint8Array(16 * 16).fill(80);
  const picture = await encodeJpeg({ data, width: 16, height: 16, channels: 1 });
  const clock = new ServerClock();
  const came = Promise.withResolvers<void>();
  await withScriptedHttp(async ({ write }) => {
    await write("HTTP/1.1 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=b\r\n\r\n");
    const part = `--b\r\n\r\n${String.fromCharCode(...picture)}`;
    await write(Uint8Array.from(part.repeat(KEPT), (letter) => letter.charCodeAt(0)));
    await came.promise;
    for (;;) {
      await systemClock.sleep(50);
      clock.passed += 50;
      await write(Uint8Array.from(part, (letter) => letter.charCodeAt(0)));
    }
  }, async (host) => {
    const steps = await stepsOf(`http://${host}/`, {}, { clock, onActivity: came.resolve });
    assert.deepEqual(steps, steps.map(() => 50));
  });
});

Deno.test("a stream of one frame in a while: the first is not held back", async () => {
  const data = new Uint8Array(16 * 16).fill(80);
  const picture = await encodeJpeg({ data, width: 16, height: 16, channels: 1 });
  const { promise: taken, resolve } = Promise.withResolvers<void>();
  await withScriptedHttp(async ({ write }) => {
    await write(
      "HTTP/1.1 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=b\r\n\r\n--b\r\n\r\n",
    );
    await write(picture);
    await taken;
  }, async (host) => {
    const [image] = await take(makeSource(`http://${host}/`), 1);
    assert.ok(isPast(image!.timestamp));
    resolve();
  });
});

Deno.test("a process that stands still for a moment does not take that for the end of the burst", async () => {
  const start = new StreamStart(new ServerClock());
  const bursts = start.hold((async function* () {
    start.arrived(true);
    yield await Promise.resolve(1);
    yield 2;
  })());
  const first = bursts.next();
  await new Promise((resolve) => setTimeout(resolve));
  for (const end = performance.now() + 200; performance.now() < end;);
  setTimeout(() => start.arrived(true));
  assert.deepEqual((await first).value, [1, 2]);
});

Deno.test("a burst without end is held for 128 frames, and no longer", async () => {
  const start = new StreamStart(systemClock);
  async function* frames() {
    for (let n = 0;; n++) {
      start.arrived(true);
      // They arrive before they are taken.
      start.arrived(true);
      yield await Promise.resolve(n);
    }
  }
  for await (const held of start.hold(frames())) {
    assert.equal(held.length, 128);
    break;
  }
});

Deno.test("a frame rate is limited whatever the frames' times: rounded, after a pause, or set back", () => {
  const taken = (times: readonly number[]) => {
    const decimator = new Decimator(10);
    return times.filter((time) => decimator.accepts(time));
  };
  assert.deepEqual(taken([0, 33, 66, 99.6, 133, 166, 199.8]), [0, 99.6, 199.8]);
  assert.deepEqual(taken([0, 50, 1_000, 1_040, 1_100]), [0, 1_000, 1_100]);
  assert.deepEqual(taken([9_000, 9_050, 100, 150, 200]), [9_000, 100, 200]);
});
