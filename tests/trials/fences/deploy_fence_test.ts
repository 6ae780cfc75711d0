/**
 * The fence of containers, applied to real commands: as a user of its own, with the file system read-only but
 * for one folder, and with the system calls that `deploy/seccomp.json` lets through. Needs root.
 */
import assert from "node:assert/strict";
import { launchOf, listen } from "../../security/task.ts";
import { join, ROOT } from "../../../tools/paths.ts";
import { withFolder } from "../../support/folder.ts";

/** A user that nothing else uses. */
const USER = "61234";
const FRAMES = 20;

/** Runs a program to its end, or until it has said something. */
async function run(
  [program, ...args]: readonly string[],
  { until }: { readonly until?: RegExp } = {},
): Promise<{ code: number; said: string; end: () => Promise<void> }> {
  const child = new Deno.Command(program!, {
    args,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const { said, ended, heard } = listen(child, until);
  await Promise.race([ended, heard]);
  const end = async () => {
    child.kill("SIGTERM");
    await ended;
  };
  return { code: until?.test(said()) ? 0 : (await ended).code, said: said(), end };
}

/** A command of Framelane, or a program, as another user and behind a filter. */
function within(folder: string, filter: string | undefined, command: readonly string[]): string[] {
  const { cache } = launchOf("models", []);
  const script = `mount --bind ${cache} ${folder}/cache && exec setpriv --reuid ${USER} --regid ` +
    `${USER} --clear-groups --inh-caps=-all --bounding-set=-all --no-new-privs bwrap ` +
    `--ro-bind / / --dev /dev --proc /proc --bind ${folder}/data ${folder}/data ` +
    "--unshare-pid --unshare-ipc --unshare-uts --die-with-parent --clearenv " +
    `--setenv PATH /usr/bin:/bin --setenv HOME ${folder}/data --setenv DENO_DIR ${folder}/cache ` +
    `--setenv NO_COLOR 1 --chdir ${folder}/data ` +
    (filter === undefined ? `"$@"` : `--seccomp 9 "$@" 9< ${filter}`);
  return ["unshare", "-m", "sh", "-c", script, "sh", ...command];
}

/** What a filter must refuse, and what works without one. */
const REFUSED: readonly (readonly string[])[] = [
  ["unshare", "--user", "true"],
  [
    "/usr/bin/python3",
    "-c",
    "import ctypes,sys; sys.exit(ctypes.CDLL(None).ptrace(0, 0, 0, 0) != 0)",
  ],
];

Deno.test({
  name: "cameras, queries and viewer work within deploy/seccomp.json, as another user",
  ignore: Deno.uid() !== 0,
  fn: () =>
    withFolder(async (folder) => {
      for (const name of ["cache", "data"]) await Deno.mkdir(`${folder}/${name}`);
      await Deno.chmod(folder, 0o755);
      await Deno.chown(`${folder}/data`, Number(USER), Number(USER));
      const filter = `${folder}/filter`;
      const made = await run([
        ...["/usr/bin/python3", `${import.meta.dirname}/filter.py`],
        ...[join(ROOT, "deploy/seccomp.json"), filter],
      ]);
      assert.equal(made.code, 0, made.said);
      const framelane = (...args: string[]) =>
        within(folder, filter, [
          ...[
            "deno",
            "run",
            "-q",
            "--no-prompt",
            "--no-lock",
            "--no-npm",
            "--no-code-cache",
            "-P=launch",
          ],
          ...[`${ROOT}/launch.ts`, ...args],
        ]);
      const log = ["--log", `embedded:${folder}/data/log`];
      const camera = await run(
        framelane("camera", "1", ...log, "--source", "pattern:", "--limit", String(FRAMES)),
      );
      assert.equal(camera.code, 0, camera.said);
      const queries = await run(framelane(
        ...["queries", "greyscale", ...log, "--trigger", "available-now", "--port", "off"],
        ...["--starting-offsets", "earliest", "--sink", "images:images"],
      ));
      assert.equal(queries.code, 0, queries.said);
      let images = 0;
      for await (const { isFile, name } of walk(`${folder}/data/images`)) {
        if (isFile && name.endsWith(".jpg")) images++;
      }
      assert.equal(images, FRAMES, queries.said);
      const viewer = await run(framelane("viewer", ...log, "--port", "8197"), {
        until: /http:\/\/127\.0\.0\.1:8197/,
      });
      const response = await fetch("http://127.0.0.1:8197/healthz");
      assert.ok(response.ok, viewer.said);
      await response.body?.cancel();
      await viewer.end();
      for (const command of REFUSED) {
        assert.equal((await run(within(folder, undefined, command))).code, 0, command.join(" "));
        assert.notEqual((await run(within(folder, filter, command))).code, 0, command.join(" "));
      }
      const write = ["touch", `${ROOT}/launch.ts`];
      assert.notEqual((await run(within(folder, undefined, write))).code, 0);
    }),
});

async function* walk(folder: string): AsyncGenerator<Deno.DirEntry> {
  for await (const entry of Deno.readDir(folder)) {
    yield entry;
    if (entry.isDirectory) yield* walk(`${folder}/${entry.name}`);
  }
}
