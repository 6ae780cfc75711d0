/** The `framelane` command of the package, with a program in the place of npx. */
import assert from "node:assert/strict";
import { join, ROOT } from "../../tools/paths.ts";
import { withFolder } from "../support/folder.ts";

Deno.test("a signal that only the framelane command gets reaches Deno, too", {
  ignore: Deno.build.os === "windows",
}, async () => {
  await withFolder(async (folder) => {
    const traps = ["INT", "TERM", "HUP"].map((name, i) => `trap 'kill $!; exit ${i + 3}' ${name}`);
    const waits = "sleep 1000 & echo ready; wait";
    await Deno.writeTextFile(join(folder, "npx"), ["#!/bin/sh", ...traps, waits].join("\n"), {
      mode: 0o755,
    });
    for (const [i, signal] of (["SIGINT", "SIGTERM", "SIGHUP"] as const).entries()) {
      const command = new Deno.Command("node", {
        args: [join(ROOT, "cli/launch/framelane.mjs"), "camera", "1"],
        env: { PATH: `${folder}:/usr/bin:/bin` },
        stdin: "null",
        stdout: "piped",
      });
      await using child = command.spawn();
      const reader = child.stdout.getReader();
      await reader.read();
      child.kill(signal);
      assert.equal((await child.status).code, i + 3, signal);
      await reader.cancel();
    }
  });
});
