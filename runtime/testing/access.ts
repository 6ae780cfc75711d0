/**
 * What a query's plan needs to touch.
 *
 * @module
 */
import { hostOf, openedBy } from "../base/access.ts";
import type { QueryDefinition } from "../definition/query.ts";
import { sinkAccess } from "../sinks/open.ts";

/** Files and hosts, as they would be given to Deno's `--allow-read`, `--allow-write` and `--allow-net`. */
export interface PlanAccess {
  readonly read: readonly string[];
  readonly write: readonly string[];
  readonly net: readonly string[];
}

/**
 * What the sinks and operators of a query read, write and reach, beside the log. An operator says it with
 * `reads`; a sink of your own is not known.
 *
 * @example
 * ```ts
 * import { display, images, query } from "../mod.ts";
 * import { accessOf } from "./access.ts";
 *
 * const definition = query("grey").readStream().writeStream(display(), images({ directory: "out" }));
 * accessOf(definition).write; // ["out"]
 * ```
 */
export function accessOf({ plan }: QueryDefinition): PlanAccess {
  const table = sinkAccess();
  const opened = plan.sinks.map(({ uri }) => openedBy(table, uri));
  return {
    read: plan.operators.flatMap(({ reads = [] }) => reads),
    write: opened.flatMap(({ opens, target }) =>
      opens === "folder" ? [target] : opens === "file" ? [target.replace(/[^/]*$/, "") || "."] : []
    ),
    net: opened.flatMap(({ opens, url }) => opens === "host" && url !== "" ? [hostOf(url)] : []),
  };
}
