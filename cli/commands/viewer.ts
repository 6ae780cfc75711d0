/**
 * `deno task viewer`: the wall alone, on any machine that reaches the log.
 *
 * @module
 */
import { openLog } from "../../runtime/log/open.ts";
import { VERSION } from "../../runtime/version.ts";
import { type CameraPermission, LogFeed, startViewer } from "../../viewer/mod.ts";
import { type Command, type CommandContext, parsers, UsageError } from "../command.ts";
import { DEFAULT_LOG, DEFAULT_TOPIC } from "../defaults.ts";

/** `deno task viewer`. */
export const viewer: Command = {
  name: "viewer",
  summary: "Shows the partitions of topics in a browser, read from the log alone.",
  options: {
    log: { value: "URI", help: "embedded:DIR or kafka://host:port", default: DEFAULT_LOG },
    topic: {
      value: "T,…",
      help: "topics to show, separated by commas",
      default: DEFAULT_TOPIC,
      parse: parseTopics,
    },
    port: {
      value: "PORT",
      help: "port of the viewer; 0 takes any free one",
      default: 8000,
      parse: parsers.integer(0, 65_535),
    },
    host: {
      value: "ADDRESS",
      help: "address of the viewer; other than 127.0.0.1 needs a token or a proxy",
      default: "127.0.0.1",
    },
    token: { value: "TOKEN", help: "token that opens the viewer" },
    "metrics-token": { value: "TOKEN", help: "token of /metrics alone" },
    "camera-token": {
      value: "TOKEN=1,3",
      help: "another token, which opens some cameras only",
      multiple: true,
      parse: parsePermission,
    },
    "proxy-host": {
      value: "NAME",
      help: "public name of a reverse proxy that signs people in before it forwards to the viewer",
      multiple: true,
    },
    "embed-origin": {
      value: "URL",
      help: "origin of pages that may embed /cam/N, e.g. https://dashboard.example.org",
      multiple: true,
      parse: parseOrigin,
    },
  },
  run,
};

async function run(
  { positionals, options }: { positionals: string[]; options: Record<string, unknown> },
  { signal, say, print }: CommandContext,
): Promise<number> {
  if (positionals.length > 0) {
    throw new UsageError([`Cannot use argument ${JSON.stringify(positionals[0])}: none is taken`]);
  }
  const option = <T>(name: string) => options[name] as T | undefined;
  const topics = [option<string | string[]>("topic")!].flat();
  const log = await openLog(option<string>("log")!);
  const feed = new LogFeed({ log, topics });
  try {
    await feed.start();
    if (feed.problem !== undefined) say(`${feed.problem}: trying again until it is there`);
    const token = option<string>("token");
    const metricsToken = option<string>("metrics-token");
    const running = await startViewer({
      feed,
      log,
      topics,
      metrics: () => Promise.resolve(metrics(feed)),
      report: say,
      hostname: option<string>("host")!,
      port: option<number>("port")!,
      ...(token === undefined ? {} : { token }),
      ...(metricsToken === undefined ? {} : { metricsToken }),
      cameraPermissions: option<CameraPermission[]>("camera-token") ?? [],
      proxyHosts: option<string[]>("proxy-host") ?? [],
      embedOrigins: option<string[]>("embed-origin") ?? [],
    });
    try {
      print(running.url);
      for (const { camera, topic, partition } of feed.lanes()) {
        say(`${camera}  ${topic} / ${partition}  ${running.url}cam/${partition + 1}`);
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
  for (const { topic, partition, camera, lastFrameTimestamp } of feed.lanes()) {
    if (lastFrameTimestamp === undefined) continue;
    const labels = `topic=${label(topic)},partition="${partition}",camera=${label(camera)}`;
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

function parsePermission(text: string): CameraPermission {
  const [, token = "", numbers = ""] = text.match(/^(.+)=(\d+(?:,\d+)*)$/) ?? [];
  const cameras = numbers.split(",").map(Number);
  if (token === "" || cameras.some((camera) => camera < 1)) {
    throw new Error("expected a token, = and numbers of cameras such as 1,3");
  }
  return { token, cameras };
}

function parseOrigin(text: string): string {
  if (!/^https?:/.test(text) || !URL.canParse(text) || new URL(text).origin !== text) {
    throw new Error("expected an origin such as https://dashboard.example.org");
  }
  return text;
}
