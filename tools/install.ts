// Installs the packages of `deno.lock` if they are missing: before the first command of a clone,
// and after the lock has changed. Developers' tasks preload it, the launcher runs it.
import { writeLine } from "../cli/output.ts";
import { COMMANDS, INSTALLED, packagesAreMissing } from "../cli/launch/packages.ts";
import { ifThere } from "../runtime/base/folders.ts";
import { join, ROOT } from "./paths.ts";

if (packagesAreMissing(ROOT)) {
  writeLine(Deno.stderr, "Installing packages, once for each deno.lock ...");
  // If several start at once, Deno lets one install while the others wait.
  const { success } = await new Deno.Command(Deno.execPath(), {
    args: ["install", "--quiet", "--frozen"],
    cwd: ROOT,
    stdin: "null",
    stdout: "null",
    stderr: "inherit",
  }).output();
  if (!success) {
    writeLine(
      Deno.stderr,
      "Cannot install packages: see above; this needs the npm registry and a writable folder",
    );
    Deno.exit(1);
  }
  // Deno does not touch it if everything was installed.
  await Deno.utime(join(ROOT, INSTALLED), new Date(), new Date());
}

// Also after a manual `deno install`: nothing here uses them, and each `deno task` reads them all.
await ifThere(Deno.remove(join(ROOT, COMMANDS), { recursive: true })).catch((error) => {
  writeLine(
    Deno.stderr,
    `Cannot remove ${COMMANDS}, which makes each start slower: ${error.message}`,
  );
});
