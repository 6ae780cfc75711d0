// What an executor of a query will need, where that is known before one has loaded it: all of them then start
// at the same time, with the right permissions.
import { moduleOf } from "../runtime/base/access.ts";
import { accessOf, type Needs } from "../runtime/definition/plan_access.ts";
import type { QueryDefinition } from "../runtime/definition/query.ts";
import type { QuerySpec } from "../runtime/executor/protocol.ts";
import { openSink } from "../runtime/sinks/open.ts";
import type { LaunchTable } from "./launch/access.ts";
import table from "./launch/table.json" with { type: "json" };
import type { FoundQuery } from "./queries_folder.ts";

const { queries }: Pick<LaunchTable, "queries"> = table as LaunchTable;

/**
 * Undefined where nothing is known: of a user's own query, and of a user's own sinks.
 *
 * @param given `sinks` in place of the query's own, where there are any; `moreSinks` beside them.
 * @param definition where it had to be made, since options were given.
 */
export function expectedNeeds(
  { name, shipped }: FoundQuery,
  { sinks, moreSinks }: Required<Pick<QuerySpec, "sinks" | "moreSinks">>,
  definition: QueryDefinition | undefined,
): Needs | undefined {
  const own = definition !== undefined ? accessOf(definition) : shipped ? queries[name] : undefined;
  const uris = [...sinks, ...moreSinks];
  if (!own || uris.some((uri) => moduleOf(uri, false) !== undefined)) return undefined;
  const { write, net } = accessOf({
    plan: { name, operators: [], source: {}, sinks: uris.map(openSink) },
  });
  const kept = sinks.length === 0 ? own : { write: [], net: [] };
  return {
    write: [...new Set([...kept.write, ...write])],
    net: [...new Set([...kept.net, ...net])],
    libraries: own.libraries,
  };
}
