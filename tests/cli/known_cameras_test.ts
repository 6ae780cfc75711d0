import assert from "node:assert/strict";
import { CameraRegistry, openState } from "../../cameras/registry.ts";
import { KnownRegistry } from "../../cli/known_cameras.ts";
import { withFolder } from "../support/folder.ts";

Deno.test("the wall reads names and troubles of the registry, no sources, and makes no file", async () => {
  await withFolder(async (folder) => {
    const file = `${folder}/cameras.kv`;
    const known = new KnownRegistry(file);
    await assert.rejects(known.read(), Deno.errors.NotFound);
    await assert.rejects(Deno.stat(file), Deno.errors.NotFound);
    const kv = await openState(file);
    try {
      const registry = new CameraRegistry(kv);
      await registry.add({ number: 7, source: "rtsp://u:secret@host/", name: "Loading dock" });
      await registry.add({ number: 8, source: "film.mp4" });
      await registry.setStatus(7, {
        state: "waiting",
        restarts: 1,
        error: "401",
        reason: "UNAUTHORIZED",
      });
      await registry.setStatus(8, { state: "ended", restarts: 0 });
      const cameras = await known.read();
      assert.deepEqual(cameras.map(({ number, name, trouble }) => [number, name, trouble]), [
        [7, "Loading dock", "The camera refuses the password"],
        [8, undefined, "The recording ended"],
      ]);
      assert.ok(cameras.every(({ since }) => since! > 0));
      assert.doesNotMatch(JSON.stringify(cameras), /secret|film/);
    } finally {
      kv.close();
      await known.close();
    }
  });
});
