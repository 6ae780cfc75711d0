// Predicts what a query's executors need, so that they can start in parallel with the right permissions
// before one has loaded the query.
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
 * Undefined if unknown: for users' own queries and sinks.
 *
 * @param given `sinks` replace the query's own, if any; `alertSinks` are added
 * @param definition the definition, if it was made because options were given
 */
export function expectedNeeds(
  { name, shipped }: FoundQuery,
  { sinks, alertSinks }: Required<Pick<QuerySpec, "sinks" | "alertSinks">>,
  definition: QueryDefinition | undefined,
): Needs | undefined {
  const own = definition !== undefined ? accessOf(definition) : shipped ? queries[name] : undefined;
  const uris = [...sinks, ...alertSinks];
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
