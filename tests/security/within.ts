/**
 * Runs a script within the fence of a task: with Deno's flags and the kernel's rules that the launcher
 * gives this very command line. Arguments: the script's address, more flags (separated by blanks), the command line.
 */
import { CLibrary } from "../../cli/launch/kernel.ts";
import { planLaunch, writtenFolders } from "../../cli/launch/plan.ts";
import { ROOT } from "../../tools/paths.ts";

const [script, more, ...argv] = Deno.args as [string, string, ...string[]];
const { access, cache, flags, reads, row } = planLaunch(argv, {
  base: ROOT,
  root: ROOT,
  environment: (name) => Deno.env.get(name),
});
const library = CLibrary.open()!;
for (const { path, mode } of writtenFolders(access)) library.makeFolder(path, mode);
if (row.native !== undefined) {
  library.makeFiles(access);
  library.confine(access, [...reads, cache], Deno.realPathSync(Deno.execPath()));
}
const added = more.split(" ").filter((flag) => flag !== "");
const kinds = added.map((flag) => flag.split("=")[0]);
const kept = flags.filter((flag) => !kinds.includes(flag.split("=")[0]!));
library.execute(Deno.realPathSync(Deno.execPath()), [
  "run",
  ...kept,
  ...added,
  script,
  ...Deno.args.slice(2),
]);
