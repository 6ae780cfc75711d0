// `deno task docs:cli` also writes `cli/launch/table.json`: what the launcher needs from the option
// tables, which load too slowly for every command. And `launch.js`: the launcher in one file, since
// each module takes half a millisecond.
import { createHash } from "node:crypto";
import { SOURCE_ACCESS } from "../cameras/open.ts";
import type { Command } from "../cli/command.ts";
import type { LaunchRow, LaunchTable } from "../cli/launch/access.ts";
import { accessOf, type Needs } from "../runtime/definition/plan_access.ts";
import { loadDefinition } from "../runtime/definition/query_options.ts";
import { sinkAccess } from "../runtime/sinks/open.ts";
import { join, ROOT } from "./paths.ts";
import { run } from "./run.ts";

/**
 * The table of all commands, sinks and sources.
 *
 * @param queries files of the bundled queries
 */
export async function launchTable(
  all: readonly Command[],
  queries: readonly string[],
): Promise<LaunchTable> {
  return {
    commands: Object.fromEntries(all.map((command) => [command.name, rowOf(command)])),
    sinks: sinkAccess(),
    sources: SOURCE_ACCESS,
    queries: Object.fromEntries(
      await Promise.all(
        queries.flatMap((file) => /^queries\/([^/]+)\.ts$/.exec(file)?.[1] ?? [])
          .map(async (name) => [name, await needsOf(name)]),
      ),
    ),
  };
}

/** What a query needs without options; null if it requires options. */
async function needsOf(name: string): Promise<Needs | null> {
  const definition = await loadDefinition(
    name,
    new URL(`../queries/${name}.ts`, import.meta.url).href,
  )
    .catch(() => undefined);
  if (definition === undefined) return null;
  const { write, net, libraries } = accessOf(definition);
  return { write, net, libraries };
}

function rowOf({ options, needs = {} }: Command): LaunchRow {
  const entries = Object.entries(options);
  return {
    switches: entries.filter(([, option]) => option.switch).map(([name]) => name),
    options: Object.fromEntries(
      entries.filter(([, option]) => !option.switch).map(([name, option]) => [name, {
        ...(option.opens === undefined ? {} : { opens: option.opens }),
        ...(option.opens !== undefined && option.multiple ? { multiple: true as const } : {}),
        ...(option.opens === undefined || option.default === undefined
          ? {}
          : { default: String(option.default) }),
      }]),
    ),
    ...needs,
  };
}

const LAUNCHER = join(ROOT, "launch.js");
const MADE = "// Made by `deno task docs:cli` of launch.ts and its modules. SHA-256 of all: ";

/** Whether `launch.js` was made of what the launcher's modules hold now. Making it again takes a bundler. */
export async function launcherIsCurrent(): Promise<boolean> {
  const [head, ...rest] = (await Deno.readTextFile(LAUNCHER).catch(() => "")).split("\n");
  return head === MADE + await digestWith(rest.join("\n"));
}

/** Writes `launch.js`. Deno fetches its bundler from npm, once. */
export async function writeLauncher(): Promise<void> {
  const args = ["bundle", "--quiet", "--no-lock", "launch.ts"];
  const ended = await run(Deno.execPath(), args, { cwd: ROOT });
  if (ended?.code !== 0) throw new Error(`Cannot make launch.js: ${ended?.output}`);
  await Deno.writeTextFile(LAUNCHER, `${MADE}${await digestWith(ended.stdout)}\n${ended.stdout}`);
}

/** The bundler names each module before its code. */
async function digestWith(code: string): Promise<string> {
  const hash = createHash("sha256").update(code);
  for (const [, file] of code.matchAll(/^\/\/ (\S+\.ts)$/gm)) {
    hash.update(await Deno.readTextFile(join(ROOT, file!)));
  }
  return hash.digest("hex");
}
