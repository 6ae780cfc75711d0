// Installs the packages that `deno.lock` names, where they are not there yet: before the first command of a
// clone, and again once the lock has changed. Tasks of developers load it first, the launcher starts it.
import { writeLine } from "../cli/output.ts";
import { COMMANDS, INSTALLED, packagesAreMissing } from "../cli/launch/packages.ts";
import { join, ROOT } from "./paths.ts";

if (packagesAreMissing(ROOT)) {
  writeLine(Deno.stderr, "Installing packages, once for each deno.lock ...");
  // Of several that start at once Deno lets one install; the others wait and find all there.
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
      "Cannot install packages: see above; it needs the npm registry once, and a folder that may be written",
    );
    Deno.exit(1);
  }
  // Where nothing was left to do Deno has not touched it.
  await Deno.utime(join(ROOT, INSTALLED), new Date(), new Date());
}

// Also after a `deno install` by hand: nothing here uses them, and each `deno task` reads them whole.
await Deno.remove(join(ROOT, COMMANDS), { recursive: true }).catch((error) => {
  if (error instanceof Deno.errors.NotFound) return;
  writeLine(
    Deno.stderr,
    `Cannot remove ${COMMANDS}, which makes each start slower: ${error.message}`,
  );
});
