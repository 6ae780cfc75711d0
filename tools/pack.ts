// Builds Framelane's npm package, `dist/framelane-VERSION.tgz`: compiled JavaScript, the types of
// the exports, the versions of `deno.json`, and a `framelane` command. Deno does not strip types
// below `node_modules`.
import { matchesGlob } from "node:path";
import project from "../deno.json" with { type: "json" };
import { writeLine } from "../cli/output.ts";
import { dirname, join, relative, ROOT } from "./paths.ts";
import { run } from "./run.ts";
import { checkUsage } from "./usage.ts";

/** What `framelane install` adds, for video, models, and image formats other than JPEG. */
const PARTS = ["node-av", "onnxruntime-node", "sharp"];
/** The viewer serves these sources to browsers; the last one also runs in Deno. */
const PAGE = /^viewer\/(page\/.*|protocol)\.ts$/;

async function output(program: string, args: readonly string[]): Promise<string> {
  const ended = await run(program, args, { cwd: ROOT });
  if (ended?.code === 0) return ended.stdout;
  throw new Error(
    `Cannot build the package: ${program} ${args[0]} failed: ${ended?.output ?? "not found"}`,
  );
}

/** Replaces `.ts` by `.js` in relative imports and worker URLs. */
export function compiledImports(code: string): string {
  return code.replace(/(["'`])(\.\.?\/[^"'`\s]*)\.ts\1/g, "$1$2.js$1");
}

/** The package's `package.json`; `packages` are the imports of the shipped code. */
export function packageJson(packages: ReadonlySet<string>): Record<string, unknown> {
  const versions = Object.entries(project.imports).flatMap(([name, target]) =>
    packages.has(name) ? [[name, target.slice(target.lastIndexOf("@") + 1)] as const] : []
  );
  const needed = versions.filter(([name]) => !PARTS.includes(name));
  const peers = versions.filter(([name]) => PARTS.includes(name));
  return {
    name: project.name,
    version: project.version,
    description: "A Spark-style partitioned query runner for camera video, on Deno",
    license: project.license,
    type: "module",
    bin: { framelane: "cli/launch/framelane.mjs" },
    exports: Object.fromEntries(
      Object.entries(project.exports).map(([name, file]) => [
        name,
        {
          types: file.replace(/\.ts$/, ".d.ts"),
          deno: file.replace(/\.ts$/, ".js"),
          default: "./needs_deno.js",
        },
      ]),
    ),
    dependencies: Object.fromEntries(needed),
    peerDependencies: Object.fromEntries(peers),
    peerDependenciesMeta: Object.fromEntries(peers.map(([name]) => [name, { optional: true }])),
  };
}

/**
 * The package's `deno.json`: how the launcher starts, and the import map for queries elsewhere.
 *
 * @param extension of the imports: code, or types
 */
function denoJson(extension: ".js" | ".d.ts"): Record<string, unknown> {
  const { version, unstable, permissions: { launch } } = project;
  const imports = Object.entries(project.exports).map(([name, file]) => [
    project.name + name.slice(1),
    file.replace(/\.ts$/, extension),
  ]);
  return {
    ...{ version, unstable, permissions: { launch }, nodeModulesDir: "manual" },
    imports: Object.fromEntries(imports),
  };
}

/** The module for Node and Bun: it exports all names, to get as far as its error message. */
async function needsDenoModule(): Promise<string> {
  const names = new Set<string>();
  for (const file of Object.values(project.exports)) {
    for (const name of Object.keys(await import(`../${file.slice(2)}`))) names.add(name);
  }
  const message = "Framelane runs on Deno: start your program with deno run, or use npx framelane";
  return `throw new Error(${JSON.stringify(message)});\nexport let ${[...names].join(", ")};\n`;
}

/** Files that `deno.json` publishes, without those that git ignores. */
async function shippedFiles(): Promise<string[]> {
  const { include, exclude } = project.publish;
  const files = await output("git", ["ls-files", "-zco", "--exclude-standard", "--", ...include]);
  return files.split("\0").filter((file) =>
    file !== "" && !exclude.some((pattern) => matchesGlob(file, pattern))
  );
}

export async function pack(folder = join(ROOT, "dist")): Promise<string> {
  const shipped = await shippedFiles();
  const code = shipped.filter((file) => file.endsWith(".ts") && !file.startsWith("viewer/page/"));
  const others = shipped.filter((file) => !file.endsWith(".ts") || PAGE.test(file));
  const stage = await Deno.makeTempDir({ prefix: "framelane-pack-" });
  const place = join(stage, "package");
  try {
    // Take the declarations of the exports from Deno's package, which lacks the command, and more.
    const declarations = join(stage, "declarations.tgz");
    await output(Deno.execPath(), ["pack", "--quiet", "--allow-dirty", "--output", declarations]);
    await output("tar", ["-xzf", declarations, "-C", stage, "--wildcards", "*.d.ts"]);
    for (const file of others) {
      await Deno.mkdir(join(place, dirname(file)), { recursive: true });
      await Deno.copyFile(join(ROOT, file), join(place, file));
    }
    await output(Deno.execPath(), ["transpile", "-q", "--no-check", "--outdir", place, ...code]);
    const packages = new Set<string>();
    for (const file of code) {
      const path = join(place, file.replace(/\.ts$/, ".js"));
      const text = await Deno.readTextFile(path);
      for (const name of Object.keys(project.imports)) {
        if (text.includes(`"${name}"`) || text.includes(`"${name}/`)) packages.add(name);
      }
      await Deno.writeTextFile(path, compiledImports(text));
    }
    const command = join(place, "cli/launch/framelane.mjs");
    const text = await Deno.readTextFile(command);
    await Deno.writeTextFile(command, text.replace("DENO_VERSION", Deno.version.deno));
    await Deno.chmod(command, 0o755);
    const files = {
      package: packageJson(packages),
      deno: denoJson(".js"),
      // Deno does not find types next to code in a package without an import map.
      types: denoJson(".d.ts"),
    };
    for (const [name, value] of Object.entries(files)) {
      await Deno.writeTextFile(join(place, `${name}.json`), JSON.stringify(value, null, 2) + "\n");
    }
    await Deno.writeTextFile(join(place, "needs_deno.js"), await needsDenoModule());
    await Deno.mkdir(folder, { recursive: true });
    const tarball = join(folder, `framelane-${project.version}.tgz`);
    await output("tar", ["-czf", tarball, "-C", stage, "package"]);
    return tarball;
  } finally {
    await Deno.remove(stage, { recursive: true });
  }
}

if (import.meta.main) {
  checkUsage("deno task pack", "Writes the npm package to dist/framelane-VERSION.tgz.", []);
  const tarball = await pack();
  const megabytes = ((await Deno.stat(tarball)).size / 1e6).toFixed(1);
  writeLine(Deno.stdout, `${relative(ROOT, tarball)}: ${megabytes} MB`);
}
