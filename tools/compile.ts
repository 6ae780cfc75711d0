// Compiles what commands load, into Deno's cache: the launcher runs it, since a command cannot write there.
// The only argument is the cache's folder.
import { compiledMark } from "../cli/launch/packages.ts";
import { join, ROOT } from "./paths.ts";

const [cache] = Deno.args;
const modules = [
  "launch.ts",
  "main.ts",
  "runtime/executor/worker.ts",
  "runtime/driver/driver.ts",
  "runtime/log/embedded/log.ts",
  "runtime/log/kafka/log.ts",
];
for (const folder of ["queries", "cli/commands"]) {
  for (const { isFile, name } of Deno.readDirSync(join(ROOT, folder))) {
    if (isFile) modules.push(`${folder}/${name}`);
  }
}
const { success } = await new Deno.Command(Deno.execPath(), {
  args: ["cache", "--quiet", "--frozen", ...modules],
  cwd: ROOT,
  stdin: "null",
}).output();
try {
  if (success) await Deno.writeTextFile(compiledMark(ROOT, cache!), "");
} catch {
  // This user has no cache to write to: each start compiles again.
}
