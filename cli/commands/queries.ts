// `deno task queries`: runs queries on a topic's partitions, with the viewer.
import { given } from "../../runtime/base/options.ts";
import { aborted } from "../../runtime/base/wait.ts";
import { Driver } from "../../runtime/driver/driver.ts";
import { parseTrigger } from "../../runtime/definition/trigger.ts";
import { startViewer, type Viewer } from "../../viewer/mod.ts";
import { BacklogBar } from "../backlog_bar.ts";
import { command, type LogLevel, type Options, parsers, type Values } from "../command.ts";
import { executorPermissions } from "../executor_permissions.ts";
import { knownCamerasOption, KnownRegistry } from "../known_cameras.ts";
import { DEFAULT_TOPIC, logOption, openLogOrUsageError, RUNTIME_NEEDS } from "../log_options.ts";
import { hasFailed, reportEnd, reportQueries } from "../query_reports.ts";
import { checkedQueries, querySpecOptions, querySpecs } from "../query_specs.ts";
import {
  DEFAULT_PORT,
  viewerAccess,
  viewerAccessFaults,
  viewerAccessOptions,
} from "../viewer_access.ts";

function parsePort(text: string): number | "off" {
  return text === "off" ? text : parsers.integer(0, 65_535, "off or ")(text);
}

const queryOptions = {
  ...logOption,
  topic: { value: "T", help: "Topic to read", default: DEFAULT_TOPIC, parse: parsers.topic },
  partitions: {
    value: "all|0,2",
    help: "Share all partitions with the group, or read only these",
    default: "all",
    parse: parsers.partitions,
  },
  ...querySpecOptions,
  executors: {
    value: "N",
    help:
      "Worker threads; 0 runs everything in the main thread (default: one per core, or one per partition for up to 4 partitions)",
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
    help: "Heartbeat timeout, ms: a runtime that sends none for this long loses its partitions",
    parse: parsers.integer(1000, 300_000),
    default: 10_000,
  },
  check: {
    switch: true,
    default: true,
    help: "Check the types of queries in .ts files before they start, once per version of a file",
  },
  json: { switch: true, help: "Print JSON only, one object per line" },
} as const satisfies Options;

/** Whether the trigger ends the run. One that the query itself sets is only known after loading. */
function isFinite({ trigger }: { readonly trigger: string | undefined }): boolean {
  return trigger !== undefined && parseTrigger(trigger).kind === "available-now";
}

function portOf(options: Pick<Values<typeof queryOptions>, "port" | "trigger">): number | "off" {
  return options.port ?? (isFinite(options) ? "off" : DEFAULT_PORT);
}

export const queries = command({
  positionals: "[NAME…]",
  options: queryOptions,
  check: async ({ positionals, options }, _, flags) => [
    ...(await checkedQueries(positionals, options, options.topic)).faults,
    ...(portOf(options) === "off"
      ? flags.filter((flag) => flag in viewerAccessOptions || flag in knownCamerasOption)
        .map((flag) => `Cannot use --${flag}: there is no viewer; expected its --port`)
      : viewerAccessFaults(options)),
  ],
  needs: { ...RUNTIME_NEEDS, positionals: "query", listens: DEFAULT_PORT },
  async run({ positionals, options }, context) {
    const { log: logUrl, topic, checkpoint: checkpointDir, json = false } = options;
    const access = viewerAccess(options);
    const specs = await querySpecs(positionals, options, options);
    // Only finite work has progress to show.
    const bar = isFinite(options) && !json ? new BacklogBar() : undefined;
    const say = (line: string, level?: LogLevel) => {
      bar?.clear();
      context.say(line, level);
    };
    const report = (line: string) => say(line, "warn");
    if (options.group !== undefined && checkpointDir !== undefined && logUrl.startsWith("kafka:")) {
      report(
        `Checkpoints are kept in group ${options.group}: --checkpoint has no effect beside it`,
      );
    }
    const log = await openLogOrUsageError(logUrl, { say }, checkpointDir);
    const registry = new KnownRegistry(options.cameras);
    const started = performance.now();
    let viewer: Viewer | undefined;
    let ok = false;
    const driver = new Driver({
      log,
      logUrl,
      queries: specs,
      ...given({ checkpointDir, executors: options.executors }),
      ...executorPermissions(),
      sessionTimeoutMs: options["session-timeout"],
      report,
    });
    reportQueries(driver, json, { print: context.print, say });
    driver.streams.addListener({ onQueryProgress: ({ progress }) => bar?.progress(progress) });
    try {
      const port = portOf(options);
      if (port !== "off") {
        await driver.load();
        viewer = await startViewer({
          feed: driver.feed,
          metrics: async () => driver.metrics.text(await log.storage?.()),
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
      const stopped = aborted(context.signal);
      const work = driver.start().then(async () => {
        const ok = await driver.awaitTermination();
        // Infinite queries run on even while this runtime has no partition.
        if (!driver.finite && ok) await stopped;
        return ok;
      });
      work.catch(() => {});
      ok = await Promise.race([work, stopped.then(() => true)]);
    } finally {
      await driver.stop("drain");
      bar?.clear();
      await viewer?.stop();
      await registry.close();
      await log.close();
      const { all } = driver.streams;
      for (const { name } of ok || json || all.length > 0 ? specs : []) {
        reportEnd(name, all.filter(({ query }) => query === name), started, json, context);
      }
    }
    return ok && !driver.streams.all.some(hasFailed) ? 0 : 1;
  },
});
