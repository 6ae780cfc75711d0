import assert from "node:assert/strict";
import { join } from "node:path";
import { makeSource } from "../../cameras/open.ts";
import { settingWords } from "../../cameras/settings.ts";
import { probeSource } from "../../cameras/probe.ts";
import type { CameraSource } from "../../cameras/source.ts";
import { systemClock } from "../../runtime/base/clock.ts";
import { FakeClock } from "../../runtime/testing.ts";
import { withFolder } from "../support/folder.ts";
import { RtspServer } from "../support/rtsp.ts";
import { makeVideo } from "../support/videos.ts";

const { signal } = new AbortController();

Deno.test("probe: codec, size, rate and keyframes of a stream, and the login that it wants", async () => {
  await withFolder(async (folder) => {
    const clip = join(folder, "clip.mp4");
    await makeVideo(clip, { frames: 100 });
    const server = await RtspServer.start(clip, { user: "anna", password: "word" });
    try {
      const url = `rtsp://anna:word@127.0.0.1:${server.port}/clip`;
      const found = await probeSource(await makeSource(url), {
        clock: systemClock,
        signal,
        forMs: 3_000,
      });
      const { codec, width, height, timeJumps, login, frames } = found;
      assert.deepEqual({ codec, width, height, timeJumps, login }, {
        codec: "h264",
        width: 160,
        height: 120,
        timeJumps: 0,
        login: "Digest (MD5)",
      });
      assert.ok(frames > 10);
      assert.ok(found.keyframeSeconds! > 0 && found.bitsPerSecond! > 0);
      assert.equal(found.steps!.median, 40);
    } finally {
      await server.kill();
    }
  });
});

Deno.test("probe: a recording is described by its own times, however fast it is read", async () => {
  await withFolder(async (folder) => {
    const clip = join(folder, "clip.mp4");
    await makeVideo(clip, { frames: 50 });
    const source = await makeSource(clip);
    const found = await probeSource(source, { clock: systemClock, signal, forMs: 20_000 });
    const { frames, seconds, framesPerSecond, keyframeSeconds, driftPpm } = found;
    assert.deepEqual({ frames, seconds, framesPerSecond, keyframeSeconds, driftPpm }, {
      frames: 50,
      seconds: 2,
      framesPerSecond: 25,
      keyframeSeconds: 0.4,
      driftPpm: undefined,
    });
  });
});

Deno.test("probe: frames that a server kept and sends at once do not count for rate and clock", async () => {
  const clock = new FakeClock(10_000);
  const source: CameraSource = {
    description: "kept",
    kind: "live",
    async *open() {
      for (let n = -20; n < 10; n++) {
        if (n > 0) await clock.advance(100);
        yield { value: new Uint8Array(125), contentType: "image/jpeg", timestamp: n * 100 };
      }
    },
  };
  const found = await probeSource(source, { clock, signal, forMs: 20_000 });
  const { frames, framesPerSecond, bitsPerSecond, driftPpm } = found;
  assert.deepEqual({ frames, framesPerSecond, bitsPerSecond, driftPpm }, {
    frames: 30,
    framesPerSecond: 10,
    bitsPerSecond: 10_000,
    driftPpm: 0,
  });
});

Deno.test("settings as words of a command line", () => {
  const size = { width: 64, height: 48 };
  const words = settingWords({ fps: "max", size, stallMs: 2_500, loop: false, tlsInsecure: true });
  assert.deepEqual(words, [
    "--fps=max",
    "--size=64x48",
    "--no-loop",
    "--stall=2.5",
    "--tls-insecure",
  ]);
});
