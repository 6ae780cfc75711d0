// What a server kept and sends at once when it is asked: one frame after the other, up to the present.
import assert from "node:assert/strict";
import { join } from "node:path";
import { makeSource } from "../../cameras/open.ts";
import type { CameraSettings } from "../../cameras/settings.ts";
import { systemClock } from "../../runtime/base/clock.ts";
import { encodeJpeg } from "../../runtime/image/jpeg.ts";
import { withFolder } from "../support/folder.ts";
import { withScriptedHttp } from "../support/scripted_http.ts";
import { withScriptedRtsp } from "../support/scripted_rtsp.ts";
import { makeVideo } from "../support/videos.ts";
import { isPast, take } from "./kit.ts";

const KEPT = 25;
const AFTER = 4;

/** Takes the frames of a stream that begins with a burst; gives the steps between their times. */
async function stepsOf(source: string, settings: CameraSettings = {}): Promise<number[]> {
  const count = (settings.fps === 5 ? Math.floor(KEPT / 5) : KEPT) + AFTER;
  const stamps = (await take(makeSource(source, settings), count)).map(({ timestamp }) =>
    timestamp
  );
  assert.equal(stamps.length, count, source);
  assert.ok(isPast(stamps.at(-1)!), source);
  return stamps.slice(1).map((stamp, i) => stamp - stamps[i]!);
}

Deno.test("RTSP that begins with a burst: frames are spaced as they were filmed from the first on", async () => {
  await withFolder(async (folder) => {
    const film = join(folder, "a.mp4");
    await makeVideo(film, { frames: 40 });
    const units = (await take(makeSource(film, { codec: "copy" }))).map(({ value }) => value);
    const before = async (index: number) => {
      if (index >= KEPT) await systemClock.sleep(40);
    };
    // FFmpeg takes a first time of 0 for none.
    const streamMs = (index: number) => 7_000 + index * 40;
    await withScriptedRtsp({ units, before, streamMs }, async (url) => {
      for (const settings of [{ codec: "jpeg" }, { codec: "copy" }, { fps: 5 }] as const) {
        const steps = await stepsOf(url, settings);
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
  await withScriptedHttp(async ({ write }) => {
    await write("HTTP/1.1 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=b\r\n\r\n");
    const part = `--b\r\n\r\n${String.fromCharCode(...picture)}`;
    await write(Uint8Array.from(part.repeat(KEPT), (letter) => letter.charCodeAt(0)));
    for (;;) {
      await systemClock.sleep(50);
      await write(Uint8Array.from(part, (letter) => letter.charCodeAt(0)));
    }
  }, async (host) => {
    const steps = await stepsOf(`http://${host}/`);
    assert.ok(steps.every((ms) => ms > 0), `${steps}`);
    const even = steps.filter((ms) => Math.abs(ms - steps[0]!) < 1);
    assert.ok(even.length > KEPT - 5 && even[0]! > 20, `${steps}`);
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
