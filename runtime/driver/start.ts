// Runs a query from a program.
import { printable } from "../base/mask.ts";
import { FROM_ZERO, FUNCTION, given, readBy, TEXT, whole } from "../base/options.ts";
import type { QueryDefinition } from "../definition/query.ts";
import { checkLogUrl, DEFAULT_LOG, openLog } from "../log/open.ts";
import type { StreamingQueryManager } from "./manager.ts";
import {
  checkStartOptions,
  isValue,
  type QueryStartOptions,
  specOf,
  type StartRows,
} from "./query_spec.ts";

/** Where and how a query runs. Defaults come from the definition, then match the command line. */
export interface StartOptions extends QueryStartOptions {
  /** `kafka://host:port[,host:port]` or `embedded:DIR`. Default `embedded:.framelane`. */
  readonly log?: string;
  /** Folder with the identity that finds the run's checkpoints in the log. */
  readonly checkpoint?: string;
  /**
   * Number of workers for modules; 0 runs them in the main thread, where definitions given as values always
   * run.
   */
  readonly executors?: number;
  /** A runtime that sends no heartbeat for this long loses its partitions, milliseconds. Default 10 000. */
  readonly sessionTimeoutMs?: number;
  /** Minimum interval between progress reports, milliseconds; 0 reports each batch. Default 1000. */
  readonly progressIntervalMs?: number;
  /** Receives human-readable messages: warnings, restarts, the `console` sink. Default: standard error. */
  readonly report?: (message: string) => void;
  /** Cancels the wait for a topic that does not exist yet, and stops all queries. */
  readonly signal?: AbortSignal;
}

const RUNTIME_ROWS: StartRows<Omit<StartOptions, keyof QueryStartOptions>> = {
  log: readBy(checkLogUrl),
  checkpoint: TEXT,
  executors: whole(0, 256),
  sessionTimeoutMs: whole(1000, 300_000),
  progressIntervalMs: FROM_ZERO,
  report: FUNCTION,
  signal: { accepted: "an AbortSignal", takes: (value) => value instanceof AbortSignal },
};

/**
 * Starts one streaming query per partition of a topic, like `deno task queries`.
 *
 * A definition given as a value runs in the main thread. One given as the URL or path of a module that
 * exports it as default runs in workers, so that it cannot block your program.
 *
 * @returns all streaming queries, once they have taken over their partitions; `stop` ends them, `add`,
 * `replace` and `remove` change which queries run
 * @throws {RangeError} naming every invalid option
 * @throws {TypeError} if `definition` is not a query definition
 * @throws {LogError} if the log cannot be used, or a finite query's topic does not exist
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
  checkStartOptions(options, RUNTIME_ROWS, { workers: !isValue(definition) });
  const { log: logUrl = DEFAULT_LOG, checkpoint: checkpointDir, report = toError } = options;
  const { executors, sessionTimeoutMs, progressIntervalMs, signal } = options;
  const own = Object.entries(options).filter(([name]) => !Object.hasOwn(RUNTIME_ROWS, name));
  const spec = await specOf(definition, Object.fromEntries(own), { logUrl, checkpointDir, signal });
  const log = await openLog(logUrl, { onWarning: report, ...given({ checkpointDir }) });
  // Loaded here, so that a module of a query neither loads nor reads what runs queries.
  const driverModule = new URL("./driver.ts", import.meta.url).href;
  const { Driver }: typeof import("./driver.ts") = await import(driverModule);
  const driver = new Driver({
    log,
    ownsLog: true,
    logUrl,
    topic: spec.topic,
    report,
    queries: [spec],
    ...given({ checkpointDir, executors, sessionTimeoutMs, progressIntervalMs, signal }),
  });
  const { streams } = driver;
  try {
    signal?.throwIfAborted(); // While the log was opened.
    await driver.start();
    signal?.throwIfAborted();
    return streams;
  } catch (error) {
    await streams.stop();
    throw signal?.aborted ? signal.reason : error;
  }
}

function toError(message: string): void {
  // deno-lint-ignore no-console
  console.error(printable(message));
}
