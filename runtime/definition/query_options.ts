/**
 * What the command line gives to queries that take it.
 *
 * @module
 */

import type { QueryDefinition } from "./query.ts";

/** Options of a query, each absent unless given. */
export interface QueryOptions {
  /** Path of a model's manifest. */
  readonly model?: string;
  /** Path of a file with zones and lines. */
  readonly zones?: string;
  /** Where models run: `cpu`, `cuda`, `coreml`, `webgpu`. */
  readonly device?: string;
}

/** All of them. */
export const QUERY_OPTIONS = ["model", "zones", "device"] as const;

/** What the module of a query exports. */
export interface QueryModule {
  /** The definition, or a function that makes it of the options. */
  readonly default?: unknown;
  /** The options that the function takes; all unless given. */
  readonly takes?: readonly (keyof QueryOptions)[];
}

/** The options that a query takes. */
export function takenOptions({ default: made, takes }: QueryModule): readonly string[] {
  return takes ?? (typeof made === "function" ? QUERY_OPTIONS : []);
}

/**
 * Makes the definition of a query.
 *
 * @param name of the query, for messages
 * @throws {RangeError} naming each option that the query does not take.
 */
export async function makeDefinition(
  name: string,
  module: QueryModule,
  options: QueryOptions = {},
): Promise<unknown> {
  const taken = takenOptions(module);
  const refused = Object.keys(options).filter((option) => !taken.includes(option));
  if (refused.length > 0) throw new RangeError(refusal(`Query ${name}`, refused, taken));
  return typeof module.default === "function" ? await module.default(options) : module.default;
}

/**
 * Makes the definition of a query of its module.
 *
 * @param name of the query, for messages
 * @param module its URL, or the module itself
 * @throws {TypeError} when the module's default export is no definition.
 */
export async function loadDefinition(
  name: string,
  module: string | QueryModule,
  options?: QueryOptions,
): Promise<QueryDefinition> {
  const loaded = typeof module === "string" ? await import(module) as QueryModule : module;
  const definition = await makeDefinition(name, loaded, options);
  // By its shape: a program may have another copy of this package.
  if (typeof definition === "object" && definition !== null && "plan" in definition) {
    return definition as QueryDefinition;
  }
  const what = typeof module === "string" ? module : "a value";
  throw new TypeError(
    `Cannot use ${what} as a query: expected a query definition (query(…)…writeStream(…)), or a module whose default export is one or a function that returns one`,
  );
}

/** Why options are refused. */
export function refusal(
  who: string,
  refused: readonly string[],
  taken: readonly string[] = [],
): string {
  const flags = (options: readonly string[]) => options.map((option) => `--${option}`).join(", ");
  const accepted = taken.length === 0 ? "it has no options of its own" : `expected ${flags(taken)}`;
  return `${who} does not take ${flags(refused)}: ${accepted}`;
}
