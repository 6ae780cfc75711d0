// Parameters of queries, from the command line, a file or a program.
import { shown } from "../base/options.ts";
import { isA, messageOf, pathOf, placeOf, placeText, read } from "../base/errors.ts";
import type { QueryPlan } from "./plan.ts";
import { QueryDefinition } from "./query.ts";

/** Parameters with a flag of their own on the command line; `--set` sets all others. */
export const FLAG_PARAMETERS = ["model", "zones", "device"] as const;

/** The type of a parameter. */
export type ParameterKind = "string" | "number" | "boolean";
/** A value of a parameter. */
export type ParameterValue = string | number | boolean;
/** The parameters that a query declares, by name. */
export type ParameterKinds = Readonly<Record<string, ParameterKind>>;
/** The parameter values that a query's function receives; absent if not set. */
export type ParameterValues<P extends ParameterKinds> = {
  readonly [K in keyof P]?: P[K] extends "number" ? number
    : P[K] extends "boolean" ? boolean
    : string;
};
/** Parameter values as written, by name. */
export type GivenOptions = Readonly<Record<string, ParameterValue>>;

/** What the module of a query exports. */
export interface QueryModule {
  /** The definition, or a function that makes it from the parameters. */
  readonly default?: unknown;
  /** The parameters that the function accepts; default: `model`, `zones` and `device`. */
  readonly parameters?: ParameterKinds;
}

const UNDECLARED: ParameterKinds = Object.fromEntries(
  FLAG_PARAMETERS.map((name) => [name, "string"]),
);
const KINDS: readonly unknown[] = ["string", "number", "boolean"] satisfies ParameterKind[];

/**
 * The parameters that a query accepts.
 *
 * @throws {RangeError} if its module declares them wrongly
 */
export function parametersOf(
  { default: made, parameters = typeof made === "function" ? UNDECLARED : {} }: QueryModule,
): ParameterKinds {
  const kinds: unknown = typeof parameters === "object" && parameters && Object.values(parameters);
  if (Array.isArray(kinds) && kinds.every((kind) => KINDS.includes(kind))) return parameters;
  throw new RangeError(
    `Cannot load a query: parameters: expected types such as { threshold: "number" }, one of ${
      KINDS.join(", ")
    }, given ${shown(parameters)}`,
  );
}

/** A query cannot be made of its file or the given options: a usage error, even if an executor detects it. */
export class QueryOptionsError extends Error {
  override readonly name = "QueryOptionsError";
}

/**
 * Makes the definition of a query.
 *
 * @param name of the query, for messages
 * @throws {RangeError} naming each unknown option or invalid parameter value.
 * @throws {QueryOptionsError} if the query's own function rejects them.
 */
async function makeDefinition(
  name: string,
  module: QueryModule,
  options: GivenOptions = {},
): Promise<unknown> {
  const kinds = parametersOf(module);
  const refused: string[] = [], wrong: string[] = [];
  const values: Record<string, ParameterValue> = {};
  for (const [option, given] of Object.entries(options)) {
    const kind = Object.hasOwn(kinds, option) ? kinds[option] : undefined;
    const value = kind && valueOf(kind, given);
    if (kind === undefined) refused.push(option);
    else if (value !== undefined) values[option] = value;
    else wrong.push(`parameter ${option} is ${shown(given)}: expected a ${kind}`);
  }
  const faults = [
    ...refused.length === 0 ? [] : [refusal(`Query ${name}`, refused, Object.keys(kinds))],
    ...wrong.length === 0 ? [] : [`Cannot use query ${name}: ${wrong.join("; ")}`],
  ];
  if (faults.length > 0) throw new RangeError(faults.join("\n"));
  if (typeof module.default !== "function") return module.default;
  try {
    return await module.default(values);
  } catch (error) {
    const whose = isA(error, Error) ? "" : `Cannot make query ${name}: `;
    throw new QueryOptionsError(whose + messageOf(error), { cause: error });
  }
}

/** Converts a value, possibly text, to its type; undefined if that is impossible. */
function valueOf(kind: ParameterKind, given: ParameterValue): ParameterValue | undefined {
  if (kind === "string") return String(given);
  const type: string = typeof given;
  if (type === kind) return given;
  if (typeof given !== "string") return undefined;
  if (kind === "boolean") return { true: true, false: false }[given];
  return given.trim() === "" || !Number.isFinite(Number(given)) ? undefined : Number(given);
}

/**
 * Loads the definition of a query from its module.
 *
 * @param name of the query, for messages
 * @param module its URL, or the module itself
 * @throws {QueryOptionsError} if a file cannot be loaded, or its default export is not a definition.
 * @throws {TypeError} if a value is not a definition.
 */
export async function loadDefinition(
  name: string,
  module: string | QueryModule,
  options?: GivenOptions,
): Promise<QueryDefinition> {
  const loaded = typeof module === "string" ? await loadModule(module) : module;
  const definition = await makeDefinition(name, loaded, options);
  // Check the shape, not the class: a program may have another copy of this package.
  const plan = read(definition, "plan");
  if (typeof plan === "object" && plan !== null) return new QueryDefinition(plan as QueryPlan);
  const [what, Fault] = typeof module === "string"
    ? [pathOf(module), QueryOptionsError]
    : ["a value", TypeError];
  throw new Fault(
    `Cannot use ${what} as a query: expected a query definition (query(…)…writeStream(…)), or a module whose default export is one or a function that returns one`,
  );
}

/**
 * Imports a query's module.
 *
 * @throws {QueryOptionsError} with the place of the fault
 */
export async function loadModule(module: string): Promise<QueryModule> {
  try {
    return await import(module);
  } catch (error) {
    const message = messageOf(error), place = placeOf(error);
    const where = message.includes(`:${place?.line}:${place?.column}`) ? "" : placeText(place);
    throw new QueryOptionsError(`Cannot load ${pathOf(module)}: ${message}${where}`, {
      cause: error,
    });
  }
}

/** Explains which options are not accepted. */
export function refusal(
  who: string,
  refused: readonly string[],
  taken: readonly string[] = [],
): string {
  const flag = (option: string) =>
    (FLAG_PARAMETERS as readonly string[]).includes(option) ? `--${option}` : `--set ${option}=…`;
  const flags = (options: readonly string[]) => options.map(flag).join(", ");
  const accepted = taken.length === 0 ? "it has no options" : `expected ${flags(taken)}`;
  return `${who} does not accept ${flags(refused)}: ${accepted}`;
}
