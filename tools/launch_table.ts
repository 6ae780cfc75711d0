// `deno task docs:cli` writes `cli/launch/table.json` too: what the launcher has to know of the option
// tables, which take longer to load than a command may wait for.
import { SOURCE_ACCESS } from "../cameras/open.ts";
import type { Command } from "../cli/command.ts";
import type { LaunchRow, LaunchTable } from "../cli/launch/access.ts";
import { sinkAccess } from "../runtime/sinks/open.ts";

/**
 * The table of all commands, sinks and sources.
 *
 * @param queries files of the queries that come with Framelane.
 */
export function launchTable(all: readonly Command[], queries: readonly string[]): LaunchTable {
  return {
    commands: Object.fromEntries(all.map((command) => [command.name, rowOf(command)])),
    sinks: sinkAccess(),
    sources: SOURCE_ACCESS,
    queries: queries.flatMap((file) => /^queries\/([^/]+)\.ts$/.exec(file)?.[1] ?? []),
  };
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
