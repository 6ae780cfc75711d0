/** An RTSP camera under the launcher: its relay may listen, and FFmpeg reach it. */
import assert from "node:assert/strict";
import { ROOT } from "../../tools/paths.ts";
import { withFolder } from "../support/folder.ts";
import { RtspServer } from "../support/rtsp.ts";
import { LAUNCHER, run } from "./task.ts";

Deno.test("An RTSP camera of the registry is read within the fence, whatever hosts are named", async () => {
  const server = await RtspServer.start(`${ROOT}/clips/bigbuckbunny.mp4`);
  try {
    await withFolder(async (folder) => {
      const state = `--state=${folder}/cameras.kv`;
      const call = (...args: string[]) => [...LAUNCHER, "cameras", ...args, state];
      const url = `rtsp://127.0.0.1:${server.port}/clip`;
      assert.equal((await run(call("add", "1", url))).code, 0);
      for (const hosts of [[], [`--allow-net=127.0.0.1:${server.port}`]]) {
        const command = call("run", "--json", `--log=embedded:${folder}/log`, ...hosts);
        const { code, said } = await run(command, { until: /"published":[1-9]/ });
        assert.ok(code === undefined && /"published":[1-9]/.test(said), said);
      }
    });
  } finally {
    await server.kill();
  }
});
