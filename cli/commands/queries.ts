/**
 * `deno task queries`: runs queries on the partitions of a topic, with the viewer.
 *
 * @module
 */
import { Driver } from "../../runtime/driver/driver.ts";
import type { StreamingQuery } from "../../runtime/driver/streaming_query.ts";
import { DEVICES } from "../../queries/operators/model/device_names.ts";
import { checkSink, maskedSink, sinkForms } from "../../runtime/sinks/open.ts";
import { parseStartingOffsets } from "../../runtime/definition/source_options.ts";
import { isFiniteTrigger, parseTrigger } from "../../runtime/definition/trigger.ts";
import { startViewer, type Viewer } from "../../viewer/mod.ts";
import { BacklogBar } from "../backlog_bar.ts";
import { type Command, type CommandContext, parsers } from "../command.ts";
import { DEFAULT_LOG, DEFAULT_TOPIC, SMALL_HEAP } from "../defaults.ts";
import { executorPermissions } from "../executor_permissions.ts";
import { fenceOptions } from "../fence_options.ts";
import { openLogOrUsageError } from "../open_log.ts";
import { DEFAULT_QUERY, querySpecs } from "../query_specs.ts";
import { viewerAccess, viewerAccessOptions } from "../viewer_access.ts";

const DEFAULT_PORT = 8000;

/** Checks text with a function that throws and keeps the text: workers parse it again. */
function checked(check: (text: string) => unknown): (text: string) => string {
  return (text) => {
    check(text);
    return text;
  };
}

function parsePartitions(text: string): "all" | number[] {
  if (text === "all") return "all";
  if (!/^\d+(,\d+)*$/.test(text)) {
    throw new Error("expected all or partition numbers such as 0,2");
  }
  return [...new Set(text.split(",").map(Number))].sort((a, b) => a - b);
}

function parsePort(text: string): number | "off" {
  return text === "off" ? "off" : parsers.integer(0, 65_535)(text);
}

/** `deno task queries`. */
export const queries: Command = {
  name: "queries",
  summary:
    "Runs queries, one ordered streaming query for each partition. NAME is a file of queries/ or the path of " +
    `your own .ts file; ${DEFAULT_QUERY} when none is given.`,
  positionals: "[NAME…]",
  options: {
    log: {
      value: "URI",
      help: "embedded:DIR or kafka://host:port",
      default: DEFAULT_LOG,
      opens: "log",
    },
    topic: { value: "T", help: "topic to read", default: DEFAULT_TOPIC },
    partitions: {
      value: "all|0,2",
      help: "share all partitions with the group, or take these alone",
      default: "all",
      parse: parsePartitions,
    },
    group: {
      value: "G",
      help:
        "group that shares the partitions and holds the offsets; {query} stands for the query's name (default framelane-{query})",
    },
    trigger: {
      value: "SPEC",
      help: "asap, interval:500ms, available-now, once (default: the query's own)",
      parse: checked(parseTrigger),
    },
    "starting-offsets": {
      value: "SPEC",
      help:
        'where to start without a checkpoint: earliest, latest, "-100 frames", "-10 minutes" or JSON (default: the query\'s own)',
      parse: checked(parseStartingOffsets),
    },
    "starting-timestamp": {
      value: "TIME",
      help: "capture time to start at without a checkpoint, ISO 8601 or epoch milliseconds",
    },
    "max-frames-per-trigger": {
      value: "N",
      help: "most frames of a batch",
      parse: parsers.integer(1),
    },
    "fail-on-data-loss": {
      switch: true,
      help:
        "stop when frames were deleted from the log before they were read (default: the query's own, or true)",
    },
    checkpoint: {
      value: "DIR",
      help: "folder of the checkpoints (embedded log) or of the query's identity (Kafka)",
      opens: "folder",
    },
    sink: {
      value: "URI",
      multiple: true,
      help: `${sinkForms()}; replaces the query's own`,
      parse: checked(checkSink),
      show: maskedSink,
      opens: "sink",
    },
    model: {
      value: "MANIFEST",
      help: "model.json of a model, for queries that take one",
      opens: "beside",
    },
    zones: {
      value: "FILE",
      help: "JSON file of zones and lines, for queries that take one",
      opens: "read",
    },
    device: {
      value: DEVICES.join("|"),
      help: "where models run (default cpu); `deno task models devices` says what each needs",
      parse: parsers.oneOf(...DEVICES),
    },
    executors: {
      value: "N",
      help:
        "worker threads; 0 runs all in the main thread (default: one for each core; up to 4 partitions have one each)",
      parse: parsers.integer(0, 256),
    },
    port: {
      value: "PORT|off",
      help: `port of the viewer (default ${DEFAULT_PORT}; off with available-now and once)`,
      parse: parsePort,
      opens: "listen",
    },
    ...viewerAccessOptions,
    "session-timeout": {
      value: "MS",
      help: "a silent runtime loses its partitions after so many milliseconds",
      parse: parsers.integer(1000, 300_000),
      default: 10_000,
    },
    json: { switch: true, help: "one JSON object a line on standard output, nothing else there" },
    ...fenceOptions,
  },
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
};

async function run(
  { positionals, options }: { positionals: string[]; options: Record<string, unknown> },
  context: CommandContext,
): Promise<number> {
  const option = <T>(name: string) => options[name] as T | undefined;
  const access = viewerAccess(options);
  const logUrl = option<string>("log")!;
  const topic = option<string>("topic")!;
  const trigger = option<string>("trigger");
  // Of a query that says so itself nothing is known before it is loaded.
  const finite = trigger !== undefined && isFiniteTrigger(parseTrigger(trigger));
  const specs = await querySpecs(positionals, options, logUrl);
  const checkpointDir = option<string>("checkpoint");
  const log = await openLogOrUsageError(logUrl, checkpointDir);
  const json = option<boolean>("json") === true;
  // Only work that has an end can say how far it is.
  const bar = finite && !json ? new BacklogBar() : undefined;
  const say = (line: string) => {
    bar?.clear();
    context.say(line);
  };
  const started = performance.now();
  let viewer: Viewer | undefined;
  const driver = new Driver({
    log,
    logUrl,
    ...(checkpointDir !== undefined ? { checkpointDir } : {}),
    topic,
    queries: specs,
    partitions: option<"all" | number[]>("partitions")!,
    ...(options["executors"] !== undefined ? { executors: option<number>("executors")! } : {}),
    ...executorPermissions(),
    sessionTimeoutMs: option<number>("session-timeout")!,
    report: say,
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
    const port = option<number | "off">("port") ?? (finite ? "off" : DEFAULT_PORT);
    if (port !== "off") {
      viewer = await startViewer({
        feed: driver.feed,
        metrics: async () => driver.metrics.text(Date.now(), await log.storage?.()),
        log,
        topics: [topic],
        report: say,
        port,
        outputTopics: await driver.load(),
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
