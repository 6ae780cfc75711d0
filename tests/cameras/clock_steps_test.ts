/**
 * A wall clock that is set while each kind of source runs: capture times follow it once for each step,
 * by as much, and are evenly spaced before and after; nothing waits, nothing hurries.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import type { Camera } from "../../cameras/camera.ts";
import { CaptureTimes } from "../../cameras/capture_times.ts";
import { makeSource } from "../../cameras/open.ts";
import { pace } from "../../cameras/pacing.ts";
import type { CameraSettings } from "../../cameras/settings.ts";
import { liveVideo } from "../../cameras/sources/live_video.ts";
import type { CameraSource } from "../../cameras/source.ts";
import { type Clock, systemClock } from "../../runtime/base/clock.ts";
import { encodeJpeg } from "../../runtime/image/jpeg.ts";
import { withFolder } from "../support/folder.ts";
import { withScriptedRtsp } from "../support/scripted_rtsp.ts";
import { makeVideo } from "../support/videos.ts";
import { amongEvil } from "./evil_kit.ts";
import { context, runToMemory, take } from "./kit.ts";
import { until } from "../support/until.ts";

const EPOCH = 1_700_000_000_000;
/** How far the wall clock is set each time, in milliseconds. */
const STEPS = [3_600_000, -3_600_000, 10_000, -10_000];
/** How many frames come before each step. */
const FRAMES_BETWEEN = 8;
const FRAMES = (STEPS.length + 1) * FRAMES_BETWEEN;

/** A clock whose sleeps end at once; its wall time is set. */
class SettableClock {
  passed = 0;
  set = 0;
  now = () => EPOCH + this.passed + this.set;
  monotonic = () => this.passed;
  sleep = async (ms: number, signal?: AbortSignal) => {
    await new Promise((resolve) => setTimeout(resolve));
    signal?.throwIfAborted();
    this.passed += ms;
  };
}

/** Plays a source, paced; sets the clock on the way. Gives the capture times' steps without its own. */
async function play(
  source: CameraSource,
  options: {
    readonly clock?: Clock & { set: number };
    readonly settings?: CameraSettings;
    readonly onFrame?: (count: number) => void;
  } = {},
) {
  const { clock = new SettableClock(), settings: { fps } = {}, onFrame } = options;
  const times = new CaptureTimes(clock);
  const { stop, ...given } = context({ clock, times });
  const stamps: number[] = [];
  const paced = pace(source.open(given), {
    kind: source.kind,
    times,
    signal: given.signal,
    ...(fps === undefined ? {} : { fps }),
  });
  for await (const { timestamp } of paced) {
    stamps.push(timestamp);
    onFrame?.(stamps.length);
    if (stamps.length % FRAMES_BETWEEN === 0) {
      clock.set += STEPS[stamps.length / FRAMES_BETWEEN - 1] ?? 0;
    }
    if (stamps.length === FRAMES) break;
  }
  stop.abort();
  assert.equal(stamps.length, FRAMES, source.description);
  const steps = stamps.slice(1).map((stamp, i) => Math.round(stamp - stamps[i]!));
  const jumps = steps.filter((step) => Math.abs(step) > 5_000);
  const own = steps.filter((step) => Math.abs(step) <= 5_000);
  return { times, own, jumps };
}

/** What must hold of every source with a beat of its own. */
function assertSteady(
  { times, own, jumps }: Awaited<ReturnType<typeof play>>,
  intervalMs: number,
  slackMs = 0,
): void {
  assert.equal(times.clockSteps, STEPS.length);
  assert.equal(times.timeJumps, 0);
  assert.equal(jumps.length, STEPS.length);
  for (const [i, jump] of jumps.entries()) {
    assert.ok(Math.abs(jump - STEPS[i]! - intervalMs) <= slackMs, `${jumps}`);
  }
  assert.ok(own.every((step) => Math.abs(step - intervalMs) <= slackMs), `${own}`);
}

const grey = (shade: number) =>
  encodeJpeg({ data: new Uint8Array(32 * 24).fill(shade), width: 32, height: 24, channels: 1 });

const RTSP = "wall clock set ±1 h and ±10 s: RTSP";
/** Plays good cameras of each kind. */
const GOOD: Readonly<Record<string, () => Promise<void>>> = {
  "wall clock set ±1 h and ±10 s: pattern": async () => {
    assertSteady(await play(await makeSource("pattern:?size=64x48", { fps: 25 })), 40);
  },

  "wall clock set ±1 h and ±10 s: video file, folder": async () => {
    await withFolder(async (folder) => {
      const file = join(folder, "a.mp4");
      await makeVideo(file, { frames: FRAMES + 5 });
      const clock = new SettableClock();
      assertSteady(await play(await makeSource(file), { clock }), 40);
      assert.ok(clock.passed <= FRAMES * 40, "it neither waits nor hurries");
      const images = join(folder, "images");
      await Deno.mkdir(images);
      for (let i = 0; i < 5; i++) await Deno.writeFile(join(images, `${i}.jpg`), await grey(i));
      const settings = { fps: 10, loop: true };
      assertSteady(await play(await makeSource(images, settings), { settings }), 100);
    });
  },

  "wall clock set ±1 h and ±10 s: MJPEG, snapshots": async () => {
    const picture = await grey(9);
    const clock = new SettableClock();
    let next = Promise.withResolvers<void>();
    const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, (request) => {
      if (request.url.endsWith("/snap")) return new Response(picture);
      let sent = 0;
      const body = new ReadableStream({
        async pull(controller) {
          // One part each 40 ms, as soon as the one before was dated.
          if (sent++ > 0) await next.promise;
          next = Promise.withResolvers();
          clock.passed += 40;
          controller.enqueue(new TextEncoder().encode("--b\r\nContent-Type: image/jpeg\r\n\r\n"));
          controller.enqueue(picture);
        },
      }, { highWaterMark: 0 });
      return new Response(body, {
        headers: { "content-type": "multipart/x-mixed-replace; boundary=b" },
      });
    });
    const host = `http://127.0.0.1:${server.addr.port}`;
    const stream = await play(await makeSource(`${host}/video`), {
      clock,
      onFrame: () => queueMicrotask(() => next.resolve()),
    });
    assertSteady(stream, 40);
    assertSteady(await play(await makeSource(`${host}/snap`, { fps: 20 })), 50);
    await server.shutdown();
  },

  [RTSP]: async () => {
    await withFolder(async (folder) => {
      const units = await unitsOf(folder);
      const clock = new SettableClock();
      const script = lockstep(clock);
      await withScriptedRtsp({ units, before: script.before }, async (url) => {
        const played = await play(await makeSource(url), { clock, onFrame: script.onFrame });
        script.onFrame(Infinity);
        assertSteady(played, 40, 10);
      });
    });
  },

  "wall clock set ±1 h and ±10 s: a device's driver": async () => {
    await withFolder(async (folder) => {
      const file = join(folder, "a.mkv");
      await makeVideo(file, { frames: FRAMES + 5, codec: "mjpeg" });
      // What FFmpeg's drivers of cameras give, without one: frames that come when they do.
      const device: CameraSource = {
        description: "device",
        kind: "live",
        open: (given) =>
          liveVideo({ url: file, name: "device", protocols: ["file"], local: false }, {}, given),
      };
      const clock = new SettableClock();
      const { own, jumps, times } = await play(device, {
        clock,
        onFrame: () => clock.passed += 40,
      });
      assert.equal(times.clockSteps, STEPS.length);
      assert.equal(jumps.length, STEPS.length);
      assert.ok(own.every((step) => step >= 0 && step <= 80), `${own}`);
    });
  },
};

for (const [name, play] of Object.entries(GOOD)) Deno.test(name, play);

Deno.test("good cameras of each kind beside an evil one of each kind keep count and spacing", async () => {
  await amongEvil(async () => {
    for (const play of Object.values(GOOD)) await play();
  });
});

Deno.test("two cameras side by side, one evil: the good one keeps its spacing", async () => {
  await withFolder(async (folder) => {
    const units = await unitsOf(folder);
    const evil = {
      units,
      // Its time jumps, goes back, stands still; it falls silent, then hangs up.
      streamMs: (i: number) => i % 7 === 0 ? 0 : i % 5 === 0 ? i * 9_000_000 : i % 3 * 40,
      before: async (i: number) => {
        await systemClock.sleep(i % 10 === 9 ? 150 : 5);
        return i < 60;
      },
    };
    await withScriptedRtsp(evil, async (url) => {
      const stop = new AbortController();
      let evilOne: Camera | undefined;
      const onCamera = (camera: Camera) => evilOne = camera;
      const plague = runToMemory(url, { onCamera, settings: { stallMs: 140 }, stop });
      try {
        await GOOD[RTSP]!();
        await until("frames and jumps of the evil one", () => {
          const { published = 0, timeJumps = 0 } = evilOne?.stats ?? {};
          return published > 0 && timeJumps >= 3;
        });
      } finally {
        stop.abort();
        await plague;
      }
    });
  });
});

/** Units of a small film, as they came. */
async function unitsOf(folder: string): Promise<Uint8Array[]> {
  const film = join(folder, "units.mp4");
  await makeVideo(film, { frames: 20 });
  return (await take(makeSource(film, { codec: "copy" }))).map(({ value }) => value);
}

/** Keeps a server at most a few frames ahead of the camera. Each frame takes 40 ms of the clock. */
function lockstep(clock: SettableClock) {
  const AHEAD = 4;
  let taken = 0;
  let sent = 0;
  let wake = Promise.withResolvers<void>();
  return {
    async before() {
      while (sent > taken + AHEAD) await wake.promise;
      clock.passed = sent++ * 40;
    },
    onFrame(count: number) {
      taken = count;
      wake.resolve();
      wake = Promise.withResolvers();
    },
  };
}
