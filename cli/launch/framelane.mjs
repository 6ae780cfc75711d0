#!/usr/bin/env node
/**
 * The `framelane` command of the npm package: finds Deno, or has npx fetch it, and starts the launcher with the
 * permissions of the tasks.
 *
 * @module
 */
import { spawn, spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";

/** Replaced when the package is made. */
const DENO = "DENO_VERSION";

const root = fileURLToPath(new URL("../..", import.meta.url));
const shell = process.platform === "win32";
const launcher = [
  ...["run", "-q", "--no-prompt", "--no-lock", "--no-npm", "-P=launch"],
  ...[`--config=${root}deno.json`, `${root}launch.js`, ...process.argv.slice(2)],
];

/** Whether the Deno on the PATH is as new as the one that Framelane is tested with. */
function isNewEnough() {
  const { stdout } = spawnSync("deno", ["--version"], { encoding: "utf8", shell });
  const found = /^deno (\d+)\.(\d+)/.exec(stdout ?? "");
  const [major, minor] = DENO.split(".").map(Number);
  return found !== null &&
    (Number(found[1]) > major || (Number(found[1]) === major && Number(found[2]) >= minor));
}

/** Installs what npm has left out since its install script failed; the script is not needed. */
function installMissing() {
  const folder = resolve(root, "../../..");
  const { optionalDependencies } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  const missing = Object.entries(optionalDependencies).filter(([name]) =>
    !existsSync(join(folder, "node_modules", name)) && !existsSync(join(root, "node_modules", name))
  ).map((entry) => entry.join("@"));
  if (missing.length === 0) return;
  process.stderr.write(`Installing ${missing.join(", ")}, once\n`);
  const flags = ["--no-save", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"];
  const { status } = spawnSync("npm", ["install", ...flags, ...missing], {
    cwd: folder,
    stdio: ["ignore", 2, 2],
    shell,
  });
  if (status === 0) return;
  process.stderr.write(`Cannot install ${missing.join(", ")}: queries with models will not run\n`);
}

installMissing();
const [program, args] = isNewEnough()
  ? ["deno", launcher]
  : ["npx", ["-y", `deno@${DENO}`, ...launcher]];
const child = spawn(program, args, { stdio: "inherit", shell });
// A terminal sends these to both; the command counts them.
for (const signal of ["SIGINT", "SIGTERM"]) {
  process.on(signal, () => signal === "SIGTERM" && child.kill(signal));
}
child.on("error", ({ message }) => {
  process.stderr.write(
    `Cannot start Framelane: neither Deno nor npx was found (${message}); install Deno ${DENO} from npm: npm install -g deno\n`,
  );
  process.exitCode = 1;
});
child.on("exit", (code, signal) => process.exitCode = code ?? (signal === "SIGINT" ? 130 : 143));
