// The queries started by a program, in the form that executors load.
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { pathOf, read } from "../base/errors.ts";
import {
  given,
  type OptionRow,
  type OptionRows,
  readBy,
  TEXT,
  TOPIC,
  whole,
} from "../base/options.ts";
import { withDeadline } from "../base/wait.ts";
import type { QueryDefinition } from "../definition/query.ts";
import {
  type GivenOptions,
  loadDefinition,
  type QueryModule,
} from "../definition/query_options.ts";
import { READ_ROWS, readFaults, type ReadStreamOptions } from "../definition/source_options.ts";
import { parseTrigger, type TriggerSpec } from "../definition/trigger.ts";
import type { QuerySpec } from "../executor/protocol.ts";
import { groupNames } from "../log/group_names.ts";
import { DEFAULT_TOPIC } from "../log/open.ts";
import { checkSink } from "../sinks/open.ts";

/** A definition, or the URL or path of a module that exports it as default. */
export type GivenQuery = QueryDefinition | URL | string;

/** How a query runs. Defaults come from the definition, then match the command line. */
export interface QueryStartOptions extends Omit<ReadStreamOptions, "checkpointLocation"> {
  /** Topic to read. Default: the runtime's topic, else `VideoStreaming`. */
  readonly topic?: string;
  /** `all` (default) shares the partitions with the group; an array reads only these. */
  readonly partitions?: "all" | readonly number[];
  /** Group that shares the partitions and holds the offsets. Default `framelane-{query}`. */
  readonly group?: string;
  /** When a batch runs: `asap`, `interval:500ms`, `available-now`, `once`. */
  readonly trigger?: TriggerSpec;
  /** Parameters of a parameterised module, by name: `{ threshold: 0.4 }`. */
  readonly parameters?: GivenOptions;
  /** Sink URIs that replace the definition's own sinks, such as `events:out/found.jsonl`. */
  readonly sinks?: readonly string[];
}

/** Where the queries of a program run. */
export interface SpecPlace {
  readonly logUrl: string;
  readonly checkpointDir?: string | undefined;
  readonly topic?: string | undefined;
  /** Ends the wait for a module that loads. */
  readonly signal?: AbortSignal | undefined;
}

/** How long a module may take to load, milliseconds. */
export const LOAD_MS = 60_000;

/** Rows for options of `start`, without those of `readStream`. */
export type StartRows<Options> = OptionRows<Omit<Options, keyof ReadStreamOptions>>;

const isTexts = (value: unknown): value is string[] =>
  Array.isArray(value) && value.every(TEXT.takes);

const QUERY_ROWS: StartRows<QueryStartOptions> = {
  topic: TOPIC,
  partitions: {
    accepted: `"all" or distinct numbers such as [0, 2]`,
    takes: (value) =>
      value === "all" ||
      Array.isArray(value) && value.length > 0 && new Set(value).size === value.length &&
        value.every(whole(0).takes),
  },
  group: TEXT,
  trigger: readBy(parseTrigger),
  parameters: {
    accepted: "an object",
    takes: (value) => typeof value === "object" && value !== null,
  },
  sinks: {
    accepted: `URIs such as ["display"]`,
    takes: (value) => isTexts(value) && value.length > 0 && (value.forEach(checkSink), true),
  },
};

const { checkpointLocation: _, ...SOURCE_ROWS } = READ_ROWS;

/**
 * Checks the options of a query, with additional rows; returns those of the source.
 *
 * @throws {RangeError} naming every option that cannot be used.
 */
export function checkStartOptions(
  options: QueryStartOptions,
  more: Readonly<Record<string, OptionRow>> = {},
  { workers = true }: { readonly workers?: boolean } = {},
): ReadStreamOptions {
  if (typeof options !== "object" || options === null) {
    throw new RangeError(`Cannot start a query: expected an object of options, given ${options}`);
  }
  const rows = { ...QUERY_ROWS, ...SOURCE_ROWS, ...more };
  const given = Object.fromEntries(
    Object.entries(options).filter(([, value]) => value !== undefined),
  );
  const faults = readFaults(given, rows);
  const executors = read(options, "executors") ?? 0;
  if (!workers && whole(1).takes(executors)) {
    faults.push(
      `executors: expected 0 for a definition given as a value, since functions cannot cross to workers; given ${executors}. To use workers, pass the URL of the definition's module`,
    );
  }
  if (faults.length > 0) throw new RangeError(`Cannot start a query: ${faults.join("; ")}`);
  return Object.fromEntries(
    Object.entries(given).filter(([name]) => Object.hasOwn(SOURCE_ROWS, name)),
  );
}

/**
 * Converts a query to the form that executors load.
 *
 * @throws {RangeError} naming every invalid option
 * @throws {TypeError} if `definition` is not a query definition
 */
export async function specOf(
  definition: GivenQuery,
  options: QueryStartOptions,
  { logUrl, checkpointDir, topic: usual = DEFAULT_TOPIC, signal }: SpecPlace,
): Promise<QuerySpec> {
  const source = checkStartOptions(options);
  const module = moduleOf(definition);
  const load = () => loadDefinition("of a program", module, options.parameters);
  const what = typeof module === "string" ? pathOf(module) : "a query";
  const { plan } = await withDeadline(`Loading ${what}`, LOAD_MS, load, given({ signal }));
  const { queryName: name = plan.name, topic = usual, sinks = [], partitions, trigger } = options;
  const groups = await groupNames([name], options.group, logUrl, checkpointDir);
  return {
    name,
    module,
    topic,
    group: groups.get(name)!,
    sinks,
    source,
    ...given({ partitions, trigger, options: options.parameters }),
  };
}

/** Whether a query is a definition, whose functions do not cross to workers. */
export function isValue(definition: GivenQuery): definition is QueryDefinition {
  return typeof definition !== "string" && !(definition instanceof URL);
}

function moduleOf(definition: GivenQuery): string | QueryModule {
  if (isValue(definition)) return { default: definition };
  if (definition instanceof URL) return definition.href;
  return /^(file|https?|data|npm|jsr):/.test(definition)
    ? definition
    : pathToFileURL(resolve(definition)).href;
}
