// Starts a command with the permissions that its own options need and no others: `deno task COMMAND`.
// On Linux the kernel holds native code to the same files (Landlock). It loads little, since every
// command waits for it; what is wrong with the options is left for the command to say.
import type { Access } from "./cli/launch/access.ts";
import { EXECUTORS } from "./cli/launch/arguments.ts";
import { CLibrary } from "./cli/launch/kernel.ts";
import { codeIsStale, packagesNeedWork } from "./cli/launch/packages.ts";
import { isThere, realPath, slashed, statOf } from "./cli/launch/paths.ts";
import { planLaunch, writtenFolders } from "./cli/launch/plan.ts";
import { typesAreRight } from "./cli/launch/types.ts";
import { unfinishedOf } from "./runtime/base/folders.ts";

/** Holds the faults that the launcher found, for the command to report with its own. */
const FAULTS = "FRAMELANE_LAUNCH_FAULTS";
/** Set for the second launcher of a run that writes files. */
const FILES_MADE = "FRAMELANE_LAUNCH_FILES_MADE";

async function launch(): Promise<void> {
  const root = realPath(slashed(import.meta.dirname!));
  // In the npm package all is JavaScript, which is not compiled.
  const compiled = !isThere(`${root}/main.ts`);
  if (!compiled && packagesNeedWork(root) && !await runTool(root, "install")) Deno.exit(1);
  const { access, cache, executors, faults, flags, queries, reads, row } = planLaunch(Deno.args, {
    base: slashed(Deno.cwd()),
    root,
    environment: (name) => Deno.env.get(name),
  });
  const entry = compiled ? [`--config=${root}/deno.json`, `${root}/main.js`] : [`${root}/main.ts`];
  const args = ["run", ...flags, ...entry, ...Deno.args];
  const program = realPath(Deno.execPath());
  const config = `${root}/${compiled ? "types" : "deno"}.json`;
  if (!await typesAreRight(queries, { root, config, cache })) Deno.exit(2);
  if (!compiled && row.native !== undefined && codeIsStale(root, cache)) {
    await runTool(root, "compile", cache);
  }
  const library = CLibrary.open();
  const said = JSON.stringify(faults);
  if (library === undefined) Deno.exit(await startChild(args, { [FAULTS]: said }));
  if (faults.length > 0) library.setEnvironment(FAULTS, said);
  if (row.native !== undefined) {
    if (faults.length === 0) {
      for (const { path, mode } of writtenFolders(access)) library.makeFolder(path, mode);
      await withNewFiles(library, access, root);
    }
    library.confine(access, [...reads, cache], program);
  }
  if (executors !== undefined) library.setEnvironment(EXECUTORS, JSON.stringify(executors));
  // Deno would colour what it says of a module that is not there.
  library.setEnvironment("NO_COLOR", "1");
  // ONNX Runtime reports its use to its makers by default.
  library.setEnvironment("ORT_DISABLE_TELEMETRY", "1");
  // Models walk through tens of megabytes: on large pages they take 5 % less time. Only glibc reads it.
  library.setEnvironment("GLIBC_TUNABLES", "glibc.malloc.hugetlb=1", 0);
  library.execute(program, args);
}

/**
 * Where a run writes files, a second launcher starts it, and this one gives them their names at the end, or removes
 * them: within the fence the right to do that to one file is the right to do it to all below its folder.
 */
async function withNewFiles(library: CLibrary, access: Access, root: string): Promise<void> {
  if (library.version === 0 || Deno.env.has(FILES_MADE)) return;
  const made = library.makeFiles(access);
  if (made.length === 0) return;
  const flags = ["-q", "--no-prompt", "--no-lock", "--no-npm", "--no-code-cache", "-P=launch"];
  const launcher = [`--config=${root}/deno.json`, import.meta.filename!, ...Deno.args];
  const code = await startChild(["run", ...flags, ...launcher], { [FILES_MADE]: "1" });
  for (const path of made) {
    library.finishFile(path, code === 0 && (statOf(unfinishedOf(path))?.size ?? 0) > 0);
  }
  Deno.exit(code);
}

/** Runs Deno to its end, where it cannot take this process's place, and passes signals on; gives its exit code. */
async function startChild(args: string[], env: Record<string, string>): Promise<number> {
  const child = new Deno.Command("deno", { args, env: { ...env, NO_COLOR: "1" } }).spawn();
  // A terminal sends it to both.
  Deno.addSignalListener("SIGINT", () => {});
  if (Deno.build.os !== "windows") Deno.addSignalListener("SIGTERM", () => child.kill("SIGTERM"));
  return (await child.status).code;
}

/** Runs `tools/NAME.ts`; resolves with whether it succeeded. */
async function runTool(root: string, name: string, ...args: string[]): Promise<boolean> {
  const flags = ["-q", "--no-lock", "--no-npm", "--no-prompt", "-P=develop"];
  const { success } = await new Deno.Command("deno", {
    args: ["run", ...flags, `--config=${root}/deno.json`, `${root}/tools/${name}.ts`, ...args],
    stderr: "inherit",
  }).output();
  return success;
}

// Not called from here: at its first error V8 parses the callers again, and this module with all its parts
// would take 2 ms.
await Promise.resolve().then(launch).catch((error) => {
  // Faults of the launcher's own code are other errors: they are shown with their places.
  if (error.constructor !== Error) throw error;
  Deno.stderr.writeSync(new TextEncoder().encode(`${error.message}\n`));
  Deno.exit(1);
});
