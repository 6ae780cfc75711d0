// What a query's plan needs to touch.
import type { NativeLibrary } from "./operator.ts";
import type { QueryPlan } from "./plan.ts";

/** Files, hosts and libraries, as they would be given to Deno's permissions; paths as the plan has them. */
export interface PlanAccess {
  readonly read: readonly string[];
  readonly write: readonly string[];
  readonly net: readonly string[];
  /** Native libraries beside the codecs of frames, which every query may need. */
  readonly libraries: readonly NativeLibrary[];
  /** A sink does not say what it opens: it may be more than this. */
  readonly open: boolean;
}

/** What an executor of the query needs beside what every executor gets. */
export type Needs = Pick<PlanAccess, "write" | "net" | "libraries">;

/**
 * What the sinks and operators of a query read, write, reach and load, beside the log. They say it themselves:
 * operators with `reads` and `loads`, sinks with `opens`.
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
