/** A pipe that gives no more bytes, as a share that hangs: that camera alone stands still. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { makeVideo } from "../support/videos.ts";
import { FramelaneProcess } from "../support/framelane.ts";
import { withFolder } from "../support/folder.ts";

/** Progress of a camera, as `cameras run --json` prints it. */
function published(run: FramelaneProcess, partition: number): number[] {
  return run.progress(partition).map((progress) =>
    (progress as unknown as { published: number }).published
  );
}

Deno.test({
  name: "a pipe that stalls: the camera beside it continues, and Ctrl-C ends the process",
  ignore: Deno.build.os === "windows",
  fn: () =>
    withFolder(async (folder) => {
      const film = join(folder, "film.ts");
      await makeVideo(film, { frames: 100, codec: "mpeg4" });
      const bytes = await Deno.readFile(film);
      const pipe = join(folder, "pipe.ts");
      const made = await new Deno.Command("mkfifo", { args: [pipe] }).output();
      assert.ok(made.success);
      const file = join(folder, "framelane.yaml");
      await Deno.writeTextFile(
        file,
        `log: "embedded:${folder}/log"\nstate: ${folder}/state.kv\nviewer: off\ncameras:
  - { number: 1, source: ${pipe} }
  - { number: 2, source: "pattern:?size=64x48", fps: 50 }\n`,
      );
      const run = new FramelaneProcess(["up", file, "--json"]);
      // Opening a pipe to write waits for its reader, as a film's beginning waits for its writer.
      const writer = await Deno.open(pipe, { write: true });
      try {
        await writer.write(bytes.subarray(0, Math.floor(bytes.length / 2)));
        await run.until("frames of the pipe", () => (published(run, 0).at(-1) ?? 0) > 0);
        const before = published(run, 1).at(-1) ?? 0;
        await run.until("frames of the other one", () => published(run, 1).at(-1)! > before + 100);
        assert.equal(await run.stop(), 0, run.output());
        assert.ok(run.summaries.length >= 2);
      } finally {
        writer.close();
        if (!run.hasEnded) run.signal("SIGKILL");
      }
    }),
});
