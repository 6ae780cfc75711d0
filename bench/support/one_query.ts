// A driver that runs one query on a topic, and tells how long each frame took.
import { Driver } from "../../runtime/driver/driver.ts";
import type { StreamingQuery } from "../../runtime/driver/streaming_query.ts";
import { print } from "../print.ts";
import type { BenchLog } from "./logs.ts";

export interface OneQuery {
  readonly topic: string;
  /** Name of the query, e.g. `greyscale`. */
  readonly query: string;
  /** URL of its module; the one of that name in `queries/` unless given. */
  readonly module?: string;
  /** Group whose offsets are the checkpoint; a new one, named after the query as is usual, unless given. */
  readonly group?: string;
  /** Takes only the first this many partitions; shares all with the group unless given. */
  readonly partitions?: number;
  /** Where the query begins; `earliest` unless given. */
  readonly startingOffsets?: "earliest" | "latest";
  /** Sinks in place of the query's own; `display` alone unless given. */
  readonly sinks?: readonly string[];
  readonly trigger?: string;
  /** Workers; the driver's own choice unless given. */
  readonly executors?: number;
  /** Takes the driver's lines for people; prints them unless given. */
  readonly report?: (message: string) => void;
  /** Capture to sink of frames of one streaming query, milliseconds. */
  readonly onLatencies?: (milliseconds: readonly number[], from: StreamingQuery) => void;
}

/** URL of the module of a query in `queries/`. */
export function moduleOf(query: string): string {
  return new URL(`../../queries/${query}.ts`, import.meta.url).href;
}

/** The driver, not started yet. */
export function oneQuery(
  { log, url }: Pick<BenchLog, "log" | "url">,
  {
    topic,
    query,
    module = moduleOf(query),
    group = `bench-${crypto.randomUUID()}-${query}`,
    partitions,
    startingOffsets = "earliest",
    sinks = ["display"],
    onLatencies,
    trigger,
    executors,
    report = print,
  }: OneQuery,
): Driver {
  return new Driver({
    log,
    logUrl: url,
    queries: [{
      name: query,
      topic,
      ...(partitions === undefined
        ? {}
        : { partitions: Array.from({ length: partitions }, (_, partition) => partition) }),
      module,
      group,
      sinks,
      source: { startingOffsets },
      ...(trigger === undefined ? {} : { trigger }),
    }],
    ...(executors === undefined ? {} : { executors }),
    report,
    onMeasurements: (from, { endToEnd }) =>
      onLatencies?.(endToEnd.map((seconds) => seconds * 1000), from),
  });
}
