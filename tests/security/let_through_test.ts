/** What the kernel lets a run do: what its options name, and no more. */
import assert from "node:assert/strict";
import { CLibrary } from "../../cli/launch/kernel.ts";
import { freePort } from "../../tools/kafka/probe.ts";
import { join, ROOT } from "../../tools/paths.ts";
import { withFolder } from "../support/folder.ts";
import { until } from "../support/until.ts";
import { LAUNCHER, run } from "./task.ts";

const CLIP = join(ROOT, "clips/bigbuckbunny.mp4");

Deno.test({
  name: "A film that another file replaced while it loops is refused with what to allow",
  ignore: CLibrary.open()?.version === 0,
  fn: async () => {
    await withFolder(async (folder) => {
      const film = join(folder, "film.mp4");
      await Deno.copyFile(CLIP, film);
      await Deno.copyFile(CLIP, join(folder, "other.mp4"));
      const options = ["--loop", "--fps", "max", "--json", "--log", `embedded:${folder}/log`];
      await run([...LAUNCHER, "camera", "1", "--source", film, ...options], {
        until: /"published":[1-9]/,
        then: async (said) => {
          await Deno.rename(join(folder, "other.mp4"), film);
          await until("the reason", () => said().includes("--allow-read for the folder around it"));
        },
      });
    });
  },
});

Deno.test({
  name:
    "More paths than the system takes for a program end the launcher with one line that says so",
  ignore: Deno.build.os !== "linux",
  fn: async () => {
    await withFolder(async (folder) => {
      const films = Array.from({ length: 1_000 }, (_, i) => `
  - number: ${i + 1}
    source: ${folder}/${"long".repeat(60)}/${i}.mp4`);
      const file = join(folder, "many.yaml");
      await Deno.writeTextFile(file, `cameras: ${films.join("")}`);
      const args = ["run", ...LAUNCHER, "up", "--check", file];
      const { code, stderr } = await new Deno.Command("deno", { args, cwd: ROOT }).output();
      assert.equal(code, 1);
      const said = new TextDecoder().decode(stderr).trim();
      assert.match(said, /^Cannot start .*\(128 KiB\); name fewer, or start several runs$/);
    });
  },
});

Deno.test("A host that is open without a port, as a cluster's, may be reached at any", async () => {
  await withFolder(async (cwd) => {
    const log = `kafka://127.0.0.1:${freePort()}`;
    const { said } = await run(
      [...LAUNCHER.slice(0, -1), `${ROOT}/launch.ts`, "viewer", "--log", log, "--port", "0"],
      { cwd, until: /Cannot count/ },
    );
    assert.match(said, /connection refused/);
  });
});
