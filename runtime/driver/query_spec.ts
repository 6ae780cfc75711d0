/**
 * The queries that a program starts, as executors load them.
 *
 * @module
 */
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { messageOf } from "../base/errors.ts";
import type { QueryDefinition } from "../definition/query.ts";
import {
  type GivenOptions,
  loadDefinition,
  type QueryModule,
} from "../definition/query_options.ts";
import { checkReadOptions, type ReadStreamOptions } from "../definition/source_options.ts";
import { parseTrigger, type TriggerSpec } from "../definition/trigger.ts";
import type { QuerySpec } from "../executor/protocol.ts";
import { groupNames } from "../log/group_names.ts";
import { DEFAULT_TOPIC } from "../log/open.ts";
import { checkSink } from "../sinks/open.ts";

/** A definition, or the URL or path of the module whose default export it is. */
export type GivenQuery = QueryDefinition | URL | string;

/** How a query runs. What is not given is as the definition says, then as on the command line. */
export interface QueryStartOptions extends Omit<ReadStreamOptions, "checkpointLocation"> {
  /** Topic to read. Default: that of the runtime, else `VideoStreaming`. */
  readonly topic?: string;
  /** `all` (default) shares the partitions with the group; numbers take these alone. */
  readonly partitions?: "all" | readonly number[];
  /** Group that shares the partitions and holds the offsets. Default `framelane-{query}`. */
  readonly group?: string;
  /** When a batch is taken: `asap`, `interval:500ms`, `available-now`, `once`. */
  readonly trigger?: TriggerSpec;
  /** Parameters of a module that takes some, by name: `{ threshold: 0.4 }`. */
  readonly parameters?: GivenOptions;
  /** Sink URIs in place of the definition's own sinks, such as `events:out/found.jsonl`. */
  readonly sinks?: readonly string[];
}

/** Where queries of a program run. */
export interface SpecPlace {
  readonly logUrl: string;
  readonly checkpointDir?: string | undefined;
  readonly topic?: string | undefined;
}

/** What an option takes: the words for it, and whether a value is one. Throws what else is wrong. */
export interface OptionRow {
  readonly accepted: string;
  readonly takes: (value: unknown) => boolean;
}

/** Rows of options of this kind. */
export type OptionRows<Options> = Readonly<
  Record<Exclude<keyof Options, keyof ReadStreamOptions>, OptionRow>
>;

const isText = (value: unknown): value is string => typeof value === "string" && value !== "";

/** Any text. */
export const TEXT: OptionRow = { accepted: "text", takes: isText };

const QUERY_ROWS: OptionRows<QueryStartOptions> = {
  topic: TEXT,
  partitions: {
    accepted: `"all" or different numbers such as [0, 2]`,
    takes: (value) =>
      value === "all" ||
      Array.isArray(value) && value.length > 0 && new Set(value).size === value.length &&
        value.every((one) => Number.isSafeInteger(one) && one >= 0),
  },
  group: TEXT,
  trigger: {
    accepted: "text such as interval:500ms",
    takes: (value) => isText(value) && parseTrigger(value) !== undefined,
  },
  parameters: {
    accepted: "an object",
    takes: (value) => typeof value === "object" && value !== null,
  },
  sinks: {
    accepted: `URIs such as ["display"]`,
    takes(value) {
      if (!Array.isArray(value) || !value.every(isText)) return false;
      value.forEach(checkSink);
      return true;
    },
  },
};

/**
 * Checks the options of a query, and more where there are rows for them.
 *
 * @returns those of the source.
 * @throws {RangeError} naming every option that cannot be used.
 */
export function checkStartOptions(
  options: QueryStartOptions,
  more: Readonly<Record<string, OptionRow>> = {},
  faults: string[] = [],
): ReadStreamOptions {
  const rows: Readonly<Record<string, OptionRow>> = {
    ...QUERY_ROWS,
    ...more,
    queryName: TEXT,
  };
  const source: Record<string, unknown> = {};
  const attempt = (check: () => void) => {
    try {
      check();
    } catch (error) {
      faults.push(messageOf(error));
    }
  };
  for (const [name, value] of Object.entries(options)) {
    if (value === undefined) continue;
    const row = rows[name];
    if (row === undefined || name === "queryName") source[name] = value;
    if (row === undefined) continue;
    attempt(() => {
      if (row.takes(value)) return;
      const given = JSON.stringify(value) ?? String(value);
      faults.push(`${name}: expected ${row.accepted}, given ${given}`);
    });
  }
  if ("checkpointLocation" in source) {
    faults.push("checkpointLocation: expected the name checkpoint for it, an option of start");
  } else attempt(() => checkReadOptions(source));
  if (faults.length > 0) throw new RangeError(`Cannot start a query: ${faults.join("; ")}`);
  return source;
}

/**
 * A query as executors load it.
 *
 * @throws {RangeError} naming every option that cannot be used.
 * @throws {TypeError} when what was given is no definition.
 */
export async function specOf(
  definition: GivenQuery,
  options: QueryStartOptions,
  { logUrl, checkpointDir, topic: usual = DEFAULT_TOPIC }: SpecPlace,
): Promise<QuerySpec> {
  const source = checkStartOptions(options);
  const module = moduleOf(definition);
  const { plan } = await loadDefinition("of a program", module, options.parameters);
  const { queryName: name = plan.name, topic = usual, sinks = [], partitions, trigger } = options;
  const groups = await groupNames([name], options.group, logUrl, checkpointDir);
  return {
    name,
    module,
    topic,
    group: groups.get(name)!,
    sinks,
    source,
    ...(partitions === undefined ? {} : { partitions }),
    ...(trigger === undefined ? {} : { trigger }),
    ...(options.parameters === undefined ? {} : { options: options.parameters }),
  };
}

/** Whether a query is a definition itself, whose functions do not cross to workers. */
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
