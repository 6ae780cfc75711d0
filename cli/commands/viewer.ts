/**
 * `deno task viewer`: the wall alone, on any machine that reaches the log.
 *
 * @module
 */
import { VERSION } from "../../runtime/base/version.ts";
import { cameraText, cameraTitle, LogFeed, startViewer } from "../../viewer/mod.ts";
import {
  type Arguments,
  command,
  type CommandContext,
  type Options,
  parsers,
  UsageError,
} from "../command.ts";
import { DEFAULT_LOG, DEFAULT_TOPIC } from "../defaults.ts";
import { knownCamerasOption, KnownRegistry } from "../known_cameras.ts";
import { commonOptions } from "../common_options.ts";
import { openLogOrUsageError } from "../open_log.ts";
import { viewerAccess, viewerAccessOptions } from "../viewer_access.ts";

const viewerOptions = {
  log: {
    value: "URI",
    help: "embedded:DIR or kafka://host:port",
    default: DEFAULT_LOG,
    opens: "log",
  },
  topic: {
    value: "T,…",
    help: "Topics to show, separated by commas",
    default: [DEFAULT_TOPIC],
    parse: parseTopics,
  },
  port: {
    value: "PORT",
    help: "Port of the viewer; 0 takes any free one",
    default: 8000,
    parse: parsers.integer(0, 65_535),
    opens: "listen",
  },
  ...viewerAccessOptions,
  ...knownCamerasOption,
  ...commonOptions,
} as const satisfies Options;

/** `deno task viewer`. */
export const viewer = command({
  name: "viewer",
  summary: "Shows the partitions of topics in a browser, read from the log alone.",
  options: viewerOptions,
  needs: { native: ["jpeg", "sharp", "ffmpeg"], hidesEnvironment: true },
  run,
});

async function run(
  { positionals, options }: Arguments<typeof viewerOptions>,
  { signal, say, print }: CommandContext,
): Promise<number> {
  if (positionals.length > 0) {
    throw new UsageError([`Cannot use argument ${JSON.stringify(positionals[0])}: none is taken`]);
  }
  const access = viewerAccess(options);
  const topics = options.topic;
  const log = await openLogOrUsageError(options.log);
  const registry = new KnownRegistry(options.cameras);
  const feed = new LogFeed({ log, topics, cameras: registry.read });
  try {
    await feed.start();
    if (feed.problem !== undefined) say(`${feed.problem}: trying again until it is there`, "warn");
    const running = await startViewer({
      feed,
      log,
      topics,
      metrics: () => Promise.resolve(metrics(feed)),
      report: (line) => say(line, "warn"),
      port: options.port,
      ...access,
    });
    try {
      print(running.url);
      for (const lane of feed.lanes()) {
        const { topic, partition } = lane;
        say(`${cameraText(lane)}  ${topic} / ${partition}  ${running.url}cam/${partition + 1}`);
      }
      say("Stop with Ctrl-C");
      await new Promise<void>((resolve) => {
        if (signal.aborted) resolve();
        else signal.addEventListener("abort", () => resolve(), { once: true });
      });
    } finally {
      await running.stop();
    }
    return 0;
  } finally {
    await feed.close();
    await registry.close();
    await log.close();
  }
}

/** What a viewer without queries can say in Prometheus' format. */
function metrics(feed: LogFeed): string {
  const lines = [
    "# HELP framelane_build_info Version that runs",
    "# TYPE framelane_build_info gauge",
    `framelane_build_info{version="${VERSION}"} 1`,
    "# HELP framelane_camera_last_frame_timestamp_seconds Capture time of the newest frame seen",
    "# TYPE framelane_camera_last_frame_timestamp_seconds gauge",
  ];
  for (const lane of feed.lanes()) {
    const { topic, partition, lastFrameTimestamp } = lane;
    if (lastFrameTimestamp === undefined) continue;
    const camera = label(cameraTitle(lane).title);
    const labels = `topic=${label(topic)},partition="${partition}",camera=${camera}`;
    lines.push(
      `framelane_camera_last_frame_timestamp_seconds{${labels}} ${lastFrameTimestamp / 1_000}`,
    );
  }
  return `${lines.join("\n")}\n`;
}

function label(text: string): string {
  return `"${text.replace(/[\\"\n]/g, (char) => char === "\n" ? "\\n" : `\\${char}`)}"`;
}

function parseTopics(text: string): string[] {
  const topics = [...new Set(text.split(",").map((topic) => topic.trim()))];
  if (topics.some((topic) => topic === "")) {
    throw new Error("expected names of topics separated by commas");
  }
  return topics;
}
