/**
 * `deno task queries`: runs queries on the partitions of a topic, with the viewer.
 *
 * @module
 */
import { Driver } from "../../runtime/driver/driver.ts";
import type { StreamingQuery } from "../../runtime/driver/streaming_query.ts";
import { isFiniteTrigger, parseTrigger } from "../../runtime/definition/trigger.ts";
import { startViewer, type Viewer } from "../../viewer/mod.ts";
import { BacklogBar } from "../backlog_bar.ts";
import {
  type Arguments,
  command,
  type CommandContext,
  type LogLevel,
  type Options,
  parsers,
} from "../command.ts";
import { DEFAULT_LOG, DEFAULT_TOPIC, SMALL_HEAP } from "../defaults.ts";
import { executorPermissions } from "../executor_permissions.ts";
import { commonOptions } from "../common_options.ts";
import { knownCamerasOption, KnownRegistry } from "../known_cameras.ts";
import { openLogOrUsageError } from "../open_log.ts";
import { parsePartitions } from "../partitions.ts";
import { DEFAULT_QUERY, querySpecOptions, querySpecs } from "../query_specs.ts";
import { viewerAccess, viewerAccessOptions } from "../viewer_access.ts";

const DEFAULT_PORT = 8000;

function parsePort(text: string): number | "off" {
  return text === "off" ? "off" : parsers.integer(0, 65_535)(text);
}

const queryOptions = {
  log: {
    value: "URI",
    help: "embedded:DIR or kafka://host:port",
    default: DEFAULT_LOG,
    opens: "log",
  },
  topic: { value: "T", help: "Topic to read", default: DEFAULT_TOPIC },
  partitions: {
    value: "all|0,2",
    help: "Share all partitions with the group, or take these alone",
    default: "all",
    parse: parsePartitions,
  },
  ...querySpecOptions,
  executors: {
    value: "N",
    help:
      "Worker threads; 0 runs all in the main thread (default: one for each core; up to 4 partitions have one each)",
    parse: parsers.integer(0, 256),
  },
  port: {
    value: "PORT|off",
    help: `Port of the viewer (default ${DEFAULT_PORT}; off with available-now and once)`,
    parse: parsePort,
    opens: "listen",
  },
  ...viewerAccessOptions,
  ...knownCamerasOption,
  "session-timeout": {
    value: "MS",
    help: "Heartbeat timeout: a runtime without heartbeats loses its partitions, ms",
    parse: parsers.integer(1000, 300_000),
    default: 10_000,
  },
  check: {
    switch: true,
    default: true,
    help:
      "Check the types of queries in .ts files before they start, once for each version of a file",
  },
  json: { switch: true, help: "One JSON object a line on standard output, nothing else there" },
  ...commonOptions,
} as const satisfies Options;

/** `deno task queries`. */
export const queries = command({
  name: "queries",
  summary:
    "Runs queries, one ordered streaming query for each partition. NAME is a file of queries/ or the path of " +
    `your own .ts file; ${DEFAULT_QUERY} when none is given.`,
  positionals: "[NAME…]",
  options: queryOptions,
  needs: {
    positionals: "query",
    native: ["jpeg", "sharp", "ffmpeg", "onnx"],
    hidesEnvironment: true,
    // What sinks keep that a query names itself.
    writes: [".framelane"],
    listens: DEFAULT_PORT,
    // How much room the log has left.
    sys: ["statfs"],
    v8: SMALL_HEAP,
  },
  run,
});

async function run(
  { positionals, options }: Arguments<typeof queryOptions>,
  context: CommandContext,
): Promise<number> {
  const { log: logUrl, topic, trigger, checkpoint: checkpointDir, json = false } = options;
  const access = viewerAccess(options);
  // Of a query that says so itself nothing is known before it is loaded.
  const finite = trigger !== undefined && isFiniteTrigger(parseTrigger(trigger));
  const specs = await querySpecs(positionals, options, options);
  const log = await openLogOrUsageError(logUrl, checkpointDir);
  const registry = new KnownRegistry(options.cameras);
  // Only work that has an end can say how far it is.
  const bar = finite && !json ? new BacklogBar() : undefined;
  const say = (line: string, level?: LogLevel) => {
    bar?.clear();
    context.say(line, level);
  };
  const report = (line: string) => say(line, "warn");
  const started = performance.now();
  let viewer: Viewer | undefined;
  const driver = new Driver({
    log,
    logUrl,
    ...(checkpointDir !== undefined ? { checkpointDir } : {}),
    queries: specs,
    ...(options.executors !== undefined ? { executors: options.executors } : {}),
    ...executorPermissions(),
    sessionTimeoutMs: options["session-timeout"],
    report,
  });
  driver.streams.addListener({
    onQueryProgress: ({ progress }) => {
      if (json) context.print(JSON.stringify({ type: "progress", progress }));
      bar?.progress(progress);
    },
    onQueryError: (event) => {
      if (json) context.print(JSON.stringify({ type: "error", ...event }));
    },
    onQueryStarted: ({ name, id }) => {
      const query = driver.streams.get(id)?.query;
      if (!json) say(`${query} ${name} reads ${topic}`);
    },
  });
  try {
    const port = options.port ?? (finite ? "off" : DEFAULT_PORT);
    if (port !== "off") {
      await driver.load();
      viewer = await startViewer({
        feed: driver.feed,
        metrics: async () => driver.metrics.text(Date.now(), await log.storage?.()),
        log,
        topics: [topic],
        report,
        port,
        outputTopics: driver.outputTopics,
        cameras: registry.read,
        ...access,
      });
      say(`Viewer: ${viewer.url}`);
    }
    const aborted = new Promise<void>((resolve) => {
      if (context.signal.aborted) resolve();
      context.signal.addEventListener("abort", () => resolve(), { once: true });
    });
    const work = driver.start().then(async () => {
      const ok = await driver.awaitTermination();
      // Queries without an end are waited for even while this runtime has no partition.
      if (!driver.finite && ok) await aborted;
      return ok;
    });
    work.catch(() => {});
    const ok = await Promise.race([work, aborted.then(() => true)]);
    return ok ? 0 : 1;
  } finally {
    await driver.stop("drain");
    bar?.clear();
    await viewer?.stop();
    await registry.close();
    await log.close();
    const seconds = (performance.now() - started) / 1000;
    for (const { name } of specs) {
      summarize(
        name,
        driver.streams.all.filter(({ query }) => query === name),
        seconds,
        json,
        context,
      );
    }
  }
}

function summarize(
  query: string,
  lanes: readonly StreamingQuery[],
  seconds: number,
  json: boolean,
  context: CommandContext,
): void {
  const sum = (count: (lane: StreamingQuery) => number) =>
    lanes.reduce((total, lane) => total + count(lane), 0);
  const summary = {
    type: "summary",
    query,
    frames: sum(({ totals }) => totals.frames),
    outputs: sum(({ totals }) => totals.outputs),
    dropped: sum(({ totals }) => totals.dropped),
    deadLettered: sum(({ totals }) => totals.deadLettered),
    seconds: Math.round(seconds * 1000) / 1000,
  };
  if (json) return context.print(JSON.stringify(summary));
  const { frames, outputs, dropped, deadLettered } = summary;
  context.say(
    `${query}: ${frames} frames in, ${outputs} outputs, ${dropped} dropped, ${deadLettered} dead letters in ${
      seconds.toFixed(1)
    } s`,
  );
}
