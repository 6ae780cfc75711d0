// Installs the package as users do: in a separate folder, with a separate home, from the registry.
import { delimiter } from "node:path";
import { dirname, join, ROOT } from "../../tools/paths.ts";
import { run } from "../../tools/run.ts";

/** npm's cache between runs; nothing else is shared with the user's own home. */
const NPM_CACHE = join(ROOT, ".cache/npm");

/** An empty folder independent of the repository, and the environment of its commands. */
export class Installation implements AsyncDisposable {
  readonly folder: string;
  readonly env: Readonly<Record<string, string>>;

  private constructor(home: string) {
    this.folder = join(home, "project");
    this.env = {
      HOME: home,
      DENO_DIR: join(home, "deno"),
      // Use the Deno that runs this program.
      PATH: `${dirname(Deno.execPath())}${delimiter}${Deno.env.get("PATH")}`,
      NO_COLOR: "1",
      npm_config_cache: NPM_CACHE,
      npm_config_prefer_offline: "true",
      npm_config_userconfig: join(Deno.env.get("HOME") ?? "/", ".npmrc"),
      npm_config_update_notifier: "false",
    };
  }

  /** Installs a tarball with npm, as `npm install FILE` does. */
  static async of(tarball: string): Promise<Installation> {
    const installation = new Installation(await Deno.makeTempDir({ prefix: "framelane-use-" }));
    await Deno.mkdir(installation.folder);
    await Deno.writeTextFile(join(installation.folder, "package.json"), "{}");
    await installation.run("npm", ["install", "--no-audit", "--no-fund", tarball]);
    return installation;
  }

  async run(program: string, args: readonly string[]): Promise<string> {
    const ended = await run(program, args, { cwd: this.folder, env: this.env });
    if (ended?.code === 0) return ended.output;
    throw new Error(`${program} ${args.join(" ")} failed: ${ended?.output ?? "not found"}`);
  }

  async megabytes(): Promise<number> {
    const printed = await this.run("du", ["-s", "--block-size=1", "node_modules"]);
    return Number.parseInt(printed) / 1e6;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.env["HOME"]!, { recursive: true });
  }
}
