#!/usr/bin/env node
/**
 * The `framelane` command of the npm package: finds Deno, or has npx fetch it, and starts the launcher with the
 * permissions of the tasks.
 *
 * @module
 */
import { spawn, spawnSync } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { constants } from "node:os";
import { dirname, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";

/** Replaced when the package is made. */
const DENO = "DENO_VERSION";
/** What is installed when it is wanted, by package. */
const PARTS = { "node-av": "video", "onnxruntime-node": "models", sharp: "images" };

const root = fileURLToPath(new URL("../..", import.meta.url));
const shell = process.platform === "win32";
const launcher = [
  ...["run", "-q", "--no-prompt", "--no-lock", "--no-npm", "--no-code-cache", "-P=launch"],
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

/**
 * Installs parts that the package does not bring: their install scripts fetch what is not needed here, and their
 * files for other systems are three times those for this one. They lie in the package's own folder.
 */
function install(parts) {
  const { peerDependencies: packages } = JSON.parse(
    readFileSync(join(root, "package.json"), "utf8"),
  );
  const names = Object.keys(packages).filter((name) => parts.includes(PARTS[name]));
  const missing = names.filter((name) => !isInstalled(name));
  if (missing.length === 0) return true;
  process.stderr.write(`Installing ${missing.join(", ")}, once\n`);
  const stage = mkdtempSync(join(root, "install-"));
  try {
    const dependencies = Object.fromEntries(missing.map((name) => [name, packages[name]]));
    // For WebRTC, which Framelane does not use: 33 MB.
    const overrides = { werift: "file:none" };
    mkdirSync(join(stage, "none"));
    writeFileSync(join(stage, "none/package.json"), '{ "name": "werift", "version": "0.0.0" }');
    writeFileSync(join(stage, "package.json"), JSON.stringify({ dependencies, overrides }));
    const flags = ["--ignore-scripts", "--no-package-lock", "--no-audit", "--no-fund", "--silent"];
    const { status } = spawnSync("npm", ["install", ...flags], {
      cwd: stage,
      stdio: ["ignore", 2, 2],
      shell,
    });
    if (status !== 0) return false;
    const modules = join(stage, "node_modules");
    for (const left of ["werift", ".bin"]) {
      rmSync(join(modules, left), { force: true, recursive: true });
    }
    const builds = join(modules, "onnxruntime-node/bin/napi-v6");
    for (const system of existsSync(builds) ? readdirSync(builds) : []) {
      for (const cpu of readdirSync(join(builds, system))) {
        if (system === process.platform && cpu === process.arch) continue;
        rmSync(join(builds, system, cpu), { recursive: true });
      }
    }
    cpSync(modules, join(root, "node_modules"), { recursive: true, force: false });
    return true;
  } finally {
    rmSync(stage, { recursive: true });
  }
}

/** Whether a package lies where the code in the package's folder finds it. */
function isInstalled(name) {
  for (let folder = root;; folder = dirname(folder)) {
    if (existsSync(join(folder, "node_modules", name))) return true;
    if (dirname(folder) === folder) return false;
  }
}

const [command, ...words] = process.argv.slice(2);
const help = words.includes("--help") || words.includes("-h");
if (command === "install" || (command === "demo" && !help)) {
  const all = Object.values(PARTS);
  if (help) {
    process.stdout.write(`npx framelane install [${all.join("|")} …]: all without a name\n`);
    process.exit(0);
  }
  const unknown = command === "install" && words.find((word) => !all.includes(word));
  if (unknown) {
    process.stderr.write(`Cannot install ${JSON.stringify(unknown)}: expected ${all.join(", ")}\n`);
    process.exit(2);
  }
  let done = false;
  try {
    done = install(command === "demo" || words.length === 0 ? all : words);
  } catch ({ message }) {
    process.stderr.write(`${message}\n`);
  }
  if (!done) process.stderr.write(`Cannot install it in ${root}: see above\n`);
  if (command === "install") process.exit(done ? 0 : 1);
}
const double = (_, slashes, quote) => `${slashes}${slashes}${quote && '\\"'}`;
const [program, args] = isNewEnough()
  ? ["deno", launcher]
  : ["npx", ["-y", `deno@${DENO}`, ...launcher]];
// A shell would split words at blanks. Before a quote, a backslash that means itself is doubled.
const quoted = shell ? args.map((word) => `"${word.replace(/(\\*)("|$)/g, double)}"`) : args;
const child = spawn(program, quoted, { stdio: "inherit", shell });
// A terminal sends these to both: the command counts what comes twice as one.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => child.kill(signal));
child.on("error", ({ message }) => {
  process.stderr.write(
    `Cannot start Framelane: neither Deno nor npx was found (${message}); install Deno ${DENO} from npm: npm install -g deno\n`,
  );
  process.exitCode = 1;
});
child.on("exit", (code, signal) => process.exitCode = code ?? 128 + constants.signals[signal]);
