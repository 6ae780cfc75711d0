// The permissions that a query's plan needs.
import type { NativeLibrary } from "./operator.ts";
import type { QueryPlan } from "./plan.ts";

/** Files, hosts and libraries in the form of Deno's permissions; paths as in the plan. */
export interface PlanAccess {
  readonly read: readonly string[];
  readonly write: readonly string[];
  readonly net: readonly string[];
  /** Native libraries besides the image codecs, which every query may need. */
  readonly libraries: readonly NativeLibrary[];
  /** True if a sink does not declare what it opens, so that more may be needed. */
  readonly open: boolean;
}

/** The additional permissions of the query's executor. */
export type Needs = Pick<PlanAccess, "write" | "net" | "libraries">;

/**
 * What the sinks and operators of a query read, write, connect to and load, besides the log.
 * Operators declare it with `reads` and `loads`, sinks with `opens`.
 *
 * @example
 * ```ts
 * import { display, images, query } from "../mod.ts";
 * import { accessOf } from "./plan_access.ts";
 *
 * const definition = query("grey").readStream().writeStream(display(), images({ directory: "out" }));
 * accessOf(definition).write; // ["out"]
 * ```
 */
export function accessOf(
  { plan }: { readonly plan: Pick<QueryPlan, "name" | "operators" | "sinks" | "source"> },
): PlanAccess {
  const { name, operators, sinks, source: { checkpointLocation } } = plan;
  const opened = sinks.map(({ opens }) => opens);
  return {
    read: operators.flatMap(({ reads = [] }) => reads),
    write: [
      ...opened.flatMap((opens) => opens?.writes ?? []).map((path) =>
        path.replaceAll("{query}", name)
      ),
      ...(checkpointLocation === undefined ? [] : [checkpointLocation]),
    ],
    net: opened.flatMap((opens) => opens?.reaches ?? []),
    libraries: operators.flatMap(({ loads = [] }) => loads),
    open: opened.includes(undefined),
  };
}
