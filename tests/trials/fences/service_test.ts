/** `deploy/framelane@.service` below systemd: needs root and systemd, which runs in namespaces of its own. */
import assert from "node:assert/strict";
import { launchOf, listen } from "../../security/task.ts";
import { ROOT } from "../../../tools/paths.ts";
import { withFolder } from "../../support/folder.ts";
import { until } from "../../support/until.ts";

Deno.test({
  name: "systemd runs a camera and queries with the unit, and holds what is in them",
  ignore: Deno.uid() !== 0,
  fn: () =>
    withFolder(async (folder) => {
      await Deno.chmod(folder, 0o755);
      const script = `${import.meta.dirname}/service.sh`;
      const child = new Deno.Command("unshare", {
        args: [
          ...["--mount", "--pid", "--fork", "--uts", "--ipc", "--cgroup", "--net", "--kill-child"],
          ...[script, ROOT, launchOf("models", []).cache, folder],
        ],
        stdin: "null",
        stdout: "piped",
        stderr: "piped",
      }).spawn();
      const { said, ended } = listen(child);
      const result = () => Deno.readTextFile(`${folder}/result`).catch(() => "");
      let running = true;
      void ended.then(() => running = false);
      await until(
        "the services",
        async () => !running || /^the end$/m.test(await result()),
      )
        .finally(() => running && child.kill("SIGKILL"));
      await ended;
      const found = await result();
      assert.match(found, /^the end$/m, said() + found);
      assert.doesNotMatch(found, /in vain/);
      assert.doesNotMatch(found, /^Uid:\s+0\b/m);
      assert.match(found, /^CapEff:\s+0+$/m);
      assert.match(found, /^NoNewPrivs:\s+1\nSeccomp:\s+2$/m);
      assert.match(found, /exposure level .*: 1\.\d OK/);
      assert.match(found, /^success\n+success$/m);
      const outcomes = (kind: string) =>
        [...found.matchAll(RegExp(`^${kind}: (.*): (\\w+)$`, "gm"))].map(([, , outcome]) =>
          outcome
        );
      assert.deepEqual(outcomes("unfenced"), Array(8).fill("done"), found);
      assert.deepEqual(outcomes("fenced"), Array(8).fill("refused"), found);
    }),
});
