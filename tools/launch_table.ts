// `deno task docs:cli` also writes `cli/launch/table.json`: what the launcher needs from the option
// tables, which load too slowly for every command.
import { SOURCE_ACCESS } from "../cameras/open.ts";
import type { Command } from "../cli/command.ts";
import type { LaunchRow, LaunchTable } from "../cli/launch/access.ts";
import { accessOf, type Needs } from "../runtime/definition/plan_access.ts";
import { loadDefinition } from "../runtime/definition/query_options.ts";
import { sinkAccess } from "../runtime/sinks/open.ts";

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
