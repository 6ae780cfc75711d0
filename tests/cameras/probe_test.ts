import assert from "node:assert/strict";
import { join } from "node:path";
import { makeSource } from "../../cameras/open.ts";
import { offeredLogins, probeSource } from "../../cameras/probe.ts";
import { systemClock } from "../../runtime/base/clock.ts";
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
      assert.equal(await offeredLogins(url, {}, signal), "Digest (MD5)");
      const found = await probeSource(await makeSource(url), {
        clock: systemClock,
        signal,
        forMs: 1_500,
      });
      const { codec, width, height, timeJumps, frames } = found;
      assert.deepEqual({ codec, width, height, timeJumps }, {
        codec: "h264",
        width: 160,
        height: 120,
        timeJumps: 0,
      });
      assert.ok(frames > 10);
      assert.ok(found.keyframeSeconds! > 0 && found.bitsPerSecond! > 0);
      assert.equal(found.steps!.median, 40);
    } finally {
      await server.kill();
    }
  });
});
