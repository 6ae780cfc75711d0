/**
 * Runs a query from a program.
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
import { groupNames } from "../log/group_names.ts";
import { DEFAULT_LOG, DEFAULT_TOPIC, openLog } from "../log/open.ts";
import { checkSink } from "../sinks/open.ts";
import type { StreamingQueryManager } from "./manager.ts";

/** Where and how a query runs. What is not given is as the definition says, then as on the command line. */
export interface StartOptions extends Omit<ReadStreamOptions, "checkpointLocation"> {
  /** `kafka://host:port[,host:port]` or `embedded:DIR`. Default `embedded:.framelane`. */
  readonly log?: string;
  /** Topic to read. Default `VideoStreaming`. */
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
  /** Folder of the checkpoints (embedded log) or of the query's identity (Kafka). */
  readonly checkpoint?: string;
  /** Workers of a module: 0 runs it in the main thread. A definition that is a value always runs there. */
  readonly executors?: number;
  /** After this time a runtime that shows no life loses its partitions, milliseconds. Default 10 000. */
  readonly sessionTimeoutMs?: number;
  /** How often progress is reported at most, milliseconds; 0: each batch. Default 1000. */
  readonly progressIntervalMs?: number;
  /** Takes lines for people: warnings, restarts, the `console` sink. Standard error unless given. */
  readonly report?: (message: string) => void;
  /** Ends the wait for a topic that does not exist yet, and all queries. */
  readonly signal?: AbortSignal;
}

/**
 * Starts one streaming query for each partition of a topic, as `deno task queries` does.
 *
 * A definition that is a value runs in the main thread. One that is given as the URL or the path of a
 * module, whose default export it is, runs in workers: it cannot hold up your program.
 *
 * @returns all streaming queries, once they have taken their partitions over; `stop` ends them.
 * @throws {RangeError} naming every option that cannot be used.
 * @throws {TypeError} when what was given is no definition.
 * @throws {LogError} when the log cannot be used, or a finite query's topic does not exist.
 *
 * @example
 * ```ts
 * import { display, query, start } from "../mod.ts";
 *
 * const definition = query("mine").readStream({ startingOffsets: "earliest" }).writeStream(display());
 * async function run(): Promise<void> {
 *   const streams = await start(definition, { log: "kafka://127.0.0.1:9092", topic: "VideoStreaming" });
 *   streams.addListener({ onQueryProgress: ({ progress }) => console.log(progress.batchId) });
 *   await streams.processAllAvailable();
 *   await streams.stop();
 * }
 * ```
 */
export async function start(
  definition: QueryDefinition | URL | string,
  options: StartOptions = {},
): Promise<StreamingQueryManager> {
  const source = checkOptions(definition, options);
  const module = moduleOf(definition);
  const { plan } = await loadDefinition("of a program", module, options.parameters);
  const { checkpoint: checkpointDir, signal, queryName: name = plan.name } = options;
  const { log: logUrl = DEFAULT_LOG, topic = DEFAULT_TOPIC, sinks = [], report = toError } =
    options;
  const { trigger, partitions = "all", sessionTimeoutMs, progressIntervalMs } = options;
  const executors = typeof module === "string" ? options.executors : 0;
  signal?.throwIfAborted();
  const groups = await groupNames([name], options.group, logUrl, checkpointDir);
  const log = await openLog(logUrl, checkpointDir === undefined ? {} : { checkpointDir });
  // Loaded here, so that a module of a query does not load what runs queries.
  const { Driver } = await import("./driver.ts");
  const driver = new Driver({
    log,
    ownsLog: true,
    logUrl,
    topic,
    partitions,
    report,
    queries: [{
      name,
      module,
      group: groups.get(name)!,
      sinks,
      source,
      ...(trigger !== undefined ? { trigger } : {}),
      ...(options.parameters !== undefined ? { options: options.parameters } : {}),
    }],
    ...(checkpointDir !== undefined ? { checkpointDir } : {}),
    ...(executors !== undefined ? { executors } : {}),
    ...(sessionTimeoutMs !== undefined ? { sessionTimeoutMs } : {}),
    ...(progressIntervalMs !== undefined ? { progressIntervalMs } : {}),
  });
  const { streams } = driver;
  const stop = () => void streams.stop().catch((error) => report(messageOf(error)));
  signal?.addEventListener("abort", stop, { once: true });
  try {
    await driver.start();
    signal?.throwIfAborted();
    return streams;
  } catch (error) {
    await streams.stop();
    throw signal?.aborted ? signal.reason : error;
  }
}

function moduleOf(definition: QueryDefinition | URL | string): string | QueryModule {
  if (definition instanceof URL) return definition.href;
  if (typeof definition !== "string") return { default: definition };
  return /^(file|https?|data|npm|jsr):/.test(definition)
    ? definition
    : pathToFileURL(resolve(definition)).href;
}

const KNOWN: Readonly<Record<Exclude<keyof StartOptions, keyof ReadStreamOptions>, true>> = {
  log: true,
  topic: true,
  partitions: true,
  group: true,
  trigger: true,
  parameters: true,
  sinks: true,
  checkpoint: true,
  executors: true,
  sessionTimeoutMs: true,
  progressIntervalMs: true,
  report: true,
  signal: true,
};

/**
 * Checks all options.
 *
 * @returns those of the source.
 */
function checkOptions(
  definition: QueryDefinition | URL | string,
  options: StartOptions,
): ReadStreamOptions {
  const faults: string[] = [];
  const check = (name: string, accepted: string, isGood: (value: never) => boolean) => {
    const value = options[name as keyof StartOptions];
    if (value === undefined || isGood(value as never)) return;
    faults.push(`${name}: expected ${accepted}, given ${JSON.stringify(value) ?? String(value)}`);
  };
  const attempt = (parse: () => unknown) => {
    try {
      parse();
    } catch (error) {
      faults.push(messageOf(error));
    }
  };
  const isText = (value: unknown) => typeof value === "string" && value !== "";
  const isCount = (value: unknown) => Number.isSafeInteger(value) && Number(value) >= 0;
  for (const name of ["log", "topic", "group", "checkpoint", "queryName"]) {
    check(name, "text", isText);
  }
  const lists = (isOne: (value: unknown) => boolean) => (value: unknown) =>
    Array.isArray(value) && value.every(isOne);
  check(
    "partitions",
    `"all" or numbers such as [0, 2]`,
    (value) => value === "all" || lists(isCount)(value),
  );
  check("sinks", `URIs such as ["display"]`, lists(isText));
  check("executors", "a whole number from 0 up", isCount);
  check("sessionTimeoutMs", "1000 to 300000", (value) => value >= 1000 && value <= 300_000);
  check("progressIntervalMs", "a number from 0 up", (value) => value >= 0);
  const byValue = typeof definition !== "string" && !(definition instanceof URL);
  if (byValue && (options.executors ?? 0) !== 0) {
    faults.push(
      `executors: expected 0 for a definition that is a value, since functions do not cross to workers; given ${options.executors}. For workers give the URL of the definition's module`,
    );
  }
  const { trigger, sinks = [] } = options;
  if (trigger !== undefined) attempt(() => parseTrigger(trigger));
  if (lists(isText)(sinks)) { for (const sink of sinks) attempt(() => checkSink(sink)); }
  const source: ReadStreamOptions = Object.fromEntries(
    Object.entries(options).filter(([name, value]) =>
      !Object.hasOwn(KNOWN, name) && value !== undefined
    ),
  );
  if ("checkpointLocation" in source) {
    faults.push("checkpointLocation: expected the name checkpoint for it here");
  } else attempt(() => checkReadOptions(source));
  if (faults.length > 0) throw new RangeError(`Cannot start a query: ${faults.join("; ")}`);
  return source;
}

function toError(message: string): void {
  // deno-lint-ignore no-console
  console.error(message);
}
