// What the command line gives to queries that take it.
import { isA, messageOf } from "../base/errors.ts";
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

/** What kind of value a parameter takes. */
export type ParameterKind = "string" | "number" | "boolean";
/** A value of a parameter. */
export type ParameterValue = string | number | boolean;
/** The parameters that a query declares, by name. */
export type ParameterKinds = Readonly<Record<string, ParameterKind>>;
/** What a query's function is given of its parameters, each absent unless given. */
export type ParameterValues<P extends ParameterKinds> = {
  readonly [K in keyof P]?: P[K] extends "number" ? number
    : P[K] extends "boolean" ? boolean
    : string;
};
/** Options and parameters as they are given, by name. */
export type GivenOptions = Readonly<Record<string, ParameterValue>>;

/** What the module of a query exports. */
export interface QueryModule {
  /** The definition, or a function that makes it of the options. */
  readonly default?: unknown;
  /** The options that the function takes; all unless given. */
  readonly takes?: readonly (keyof QueryOptions)[];
  /** Further parameters that the function takes. */
  readonly parameters?: ParameterKinds;
}

/** The options and parameters that a query takes, by name. */
export function takenOptions(
  { default: made, takes, parameters = {} }: QueryModule,
): readonly string[] {
  const options = takes ?? (typeof made === "function" ? QUERY_OPTIONS : []);
  return [...new Set([...options, ...Object.keys(parameters)])];
}

/** A query cannot be made of the options that were given: wrong use, also where an executor finds it. */
export class QueryOptionsError extends Error {
  override readonly name = "QueryOptionsError";
}

/**
 * Makes the definition of a query.
 *
 * @param name of the query, for messages
 * @throws {RangeError} naming each option that the query does not take, or each value that a
 * parameter does not take.
 * @throws {QueryOptionsError} when the query's own function refuses them.
 */
async function makeDefinition(
  name: string,
  module: QueryModule,
  options: GivenOptions = {},
): Promise<unknown> {
  const taken = takenOptions(module);
  const refused = Object.keys(options).filter((option) => !taken.includes(option));
  if (refused.length > 0) throw new RangeError(refusal(`Query ${name}`, refused, taken));
  const faults: string[] = [];
  const values = Object.fromEntries(
    Object.entries(options).map(([option, given]) => {
      const value = valueOf(module.parameters?.[option] ?? "string", given);
      if (value === undefined) {
        faults.push(
          `parameter ${option} is ${JSON.stringify(given)}: expected a ${
            module.parameters![option]
          }`,
        );
      }
      return [option, value];
    }),
  );
  if (faults.length > 0) throw new RangeError(`Cannot use query ${name}: ${faults.join("; ")}`);
  if (typeof module.default !== "function") return module.default;
  try {
    return await module.default(values);
  } catch (error) {
    throw new QueryOptionsError(messageOf(error), { cause: error });
  }
}

/** A value of its kind, also where it comes as text; undefined where it is none. */
function valueOf(kind: ParameterKind, given: ParameterValue): ParameterValue | undefined {
  if (kind === "string") return String(given);
  const type: string = typeof given;
  if (type === kind) return given;
  if (typeof given !== "string") return undefined;
  if (kind === "boolean") return { true: true, false: false }[given];
  return given.trim() === "" || !Number.isFinite(Number(given)) ? undefined : Number(given);
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
  options?: GivenOptions,
): Promise<QueryDefinition> {
  const loaded = typeof module === "string" ? await imported(module) : module;
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

/** What a module throws that is no error names neither itself nor the module. */
async function imported(module: string): Promise<QueryModule> {
  try {
    return await import(module);
  } catch (error) {
    if (isA(error, Error)) throw error;
    throw new Error(`Cannot load ${module}: ${messageOf(error)}`, { cause: error });
  }
}

/** Why options are refused. */
export function refusal(
  who: string,
  refused: readonly string[],
  taken: readonly string[] = [],
): string {
  const flag = (option: string) =>
    (QUERY_OPTIONS as readonly string[]).includes(option) ? `--${option}` : `--set ${option}=…`;
  const flags = (options: readonly string[]) => options.map(flag).join(", ");
  const accepted = taken.length === 0 ? "it has no options of its own" : `expected ${flags(taken)}`;
  return `${who} does not take ${flags(refused)}: ${accepted}`;
}
