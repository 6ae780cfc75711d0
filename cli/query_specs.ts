/**
 * The queries that a command line asks for, as executors load them.
 *
 * @module
 */
import type { QuerySpec } from "../runtime/executor/protocol.ts";
import type { ReadStreamOptions } from "../runtime/definition/source_options.ts";
import {
  makeDefinition,
  QUERY_OPTIONS,
  type QueryModule,
  type QueryOptions,
  refusal,
  takenOptions,
} from "../runtime/definition/query_options.ts";
import { groupNames } from "./checkpoint_identity.ts";
import { UsageError } from "./command.ts";
import { findQuery, type FoundQuery } from "./queries_folder.ts";

/** What runs when no query is named. */
export const DEFAULT_QUERY = "greyscale";

/**
 * What the executors need to know of each query.
 *
 * @param names as given; `greyscale` when there are none.
 * @param options of `deno task queries`, parsed.
 * @throws {UsageError} naming every fault.
 */
export async function querySpecs(
  names: readonly string[],
  options: Record<string, unknown>,
  logUrl: string,
): Promise<QuerySpec[]> {
  const faults: string[] = [];
  const found: FoundQuery[] = [];
  for (const name of names.length > 0 ? names : [DEFAULT_QUERY]) {
    try {
      found.push(findQuery(name));
    } catch (error) {
      faults.push((error as Error).message);
    }
  }
  for (const [index, { name }] of found.entries()) {
    if (found.findIndex((other) => other.name === name) !== index) {
      faults.push(`Query ${name} was given more than once`);
    }
  }
  const group = options["group"] as string | undefined;
  if (group !== undefined && found.length > 1 && !group.includes("{query}")) {
    faults.push(
      `Cannot use --group ${
        JSON.stringify(group)
      } for ${found.length} queries: a group holds one ` +
        `position for each partition; expected {query} in it, e.g. ${group}-{query}`,
    );
  }
  const own = await ownOptions(found, options, faults);
  if (faults.length > 0) throw new UsageError(faults);
  const groups = await groupNames(
    found.map(({ name }) => name),
    group,
    logUrl,
    options["checkpoint"] as string | undefined,
  );
  const source: ReadStreamOptions = {
    ...(options["starting-offsets"] !== undefined
      ? { startingOffsets: options["starting-offsets"] as "earliest" }
      : {}),
    ...(options["starting-timestamp"] !== undefined
      ? { startingTimestamp: options["starting-timestamp"] as string }
      : {}),
    ...(options["max-frames-per-trigger"] !== undefined
      ? { maxFramesPerTrigger: options["max-frames-per-trigger"] as number }
      : {}),
    ...(options["fail-on-data-loss"] !== undefined
      ? { failOnDataLoss: options["fail-on-data-loss"] as boolean }
      : {}),
  };
  return found.map(({ name, module }) => ({
    name,
    module,
    group: groups.get(name)!,
    sinks: (options["sink"] as string[] | undefined) ?? [],
    source,
    ...(options["trigger"] !== undefined ? { trigger: options["trigger"] as string } : {}),
    ...(own.has(name) ? { options: own.get(name)! } : {}),
  }));
}

/**
 * The options that each query takes of those that were given; a query is loaded here only if there are
 * any. What no query takes, or what a query cannot use, is a fault.
 */
async function ownOptions(
  queries: readonly FoundQuery[],
  options: Record<string, unknown>,
  faults: string[],
): Promise<Map<string, QueryOptions>> {
  const given = QUERY_OPTIONS.filter((option) => options[option] !== undefined);
  const own = new Map<string, QueryOptions>();
  if (given.length === 0) return own;
  const taken = new Set<string>();
  for (const { name, module: url } of queries) {
    try {
      const module = await import(url) as QueryModule;
      const takes = takenOptions(module);
      const mine = given.filter((option) => takes.includes(option));
      mine.forEach((option) => taken.add(option));
      const values = Object.fromEntries(mine.map((option) => [option, options[option] as string]));
      await makeDefinition(name, module, values);
      own.set(name, values);
    } catch (error) {
      faults.push((error as Error).message);
      given.forEach((option) => taken.add(option));
    }
  }
  const refused = given.filter((option) => !taken.has(option));
  const names = queries.map(({ name }) => name).join(", ");
  if (refused.length > 0) faults.push(refusal(`Query ${names}`, refused));
  return own;
}
