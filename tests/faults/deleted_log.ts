// A log that is deleted under a camera and a query.
import assert from "node:assert/strict";
import { withFolder } from "../support/folder.ts";
import { FramelaneProcess } from "../support/framelane.ts";

/** Both say so and end; how long after, milliseconds. */
export async function deletedUnder(): Promise<number[]> {
  return await withFolder(async (dir) => {
    const where = ["--log", `embedded:${dir}/log`];
    const camera = new FramelaneProcess(
      ["camera", "1", "--source", "pattern:?size=160x120", ...where],
    );
    const query = new FramelaneProcess(
      ["queries", "passthrough", ...where, "--sink", "topic:OUT", "--port", "off", "--json"],
    );
    try {
      await query.until("frames", ({ lines }) => lines.length > 0);
      await Deno.remove(`${dir}/log`, { recursive: true });
      const started = performance.now();
      return await Promise.all([camera, query].map(async (process) => {
        assert.equal(await process.ended(), 1, process.output());
        const afterMs = performance.now() - started;
        assert.match(process.output(), /log\.db: it was deleted or replaced while it was in use/);
        return afterMs;
      }));
    } finally {
      await camera.kill();
      await query.kill();
    }
  });
}
