// `deno task demo`: cameras, log, queries and viewer in one process.
import { fileURLToPath } from "node:url";
import { launchCamera } from "../../cameras/launch.ts";
import { makeSource } from "../../cameras/open.ts";
import { systemClock } from "../../runtime/base/clock.ts";
import { aborted } from "../../runtime/base/wait.ts";
import { Driver } from "../../runtime/driver/driver.ts";
import type { LogProducer, TopicLog } from "../../runtime/log/log.ts";
import { openLog } from "../../runtime/log/open.ts";
import { isLoopback } from "../../runtime/base/host.ts";
import { startViewer, type Viewer } from "../../viewer/mod.ts";
import {
  type Arguments,
  command,
  type CommandContext,
  noArguments,
  type Options,
  parsers,
  type Values,
} from "../command.ts";
import { executorPermissions } from "../executor_permissions.ts";
import { commonOptions } from "../common_options.ts";
import { DEFAULT_TOPIC, SMALL_HEAP } from "../log_options.ts";
import { findQuery } from "../queries_folder.ts";
import { viewerAccess, viewerAccessFaults, viewerAccessOptions } from "../viewer_access.ts";

interface DemoCamera {
  readonly source: string;
  readonly about: string;
  readonly query: string;
}

const FOLDER = ".framelane";
const clip = (name: string) => fileURLToPath(new URL(`../../clips/${name}`, import.meta.url));

const CAMERAS: readonly DemoCamera[] = [
  { source: clip("bigbuckbunny.mp4"), about: "a video file", query: "motion" },
  { source: "pattern:?size=640x360&fps=15", about: "a test pattern", query: "greyscale" },
  {
    source: `pan:${clip("astronaut.jpg")}?size=640x360`,
    about: "a camera that pans over a photograph",
    query: "objects",
  },
];

const demoOptions = {
  port: {
    value: "PORT",
    help: "Port of the viewer",
    default: 8000,
    parse: parsers.integer(0, 65_535),
    opens: "listen",
  },
  ...viewerAccessOptions,
  for: { value: "SECONDS", help: "Stop after this many seconds", parse: parsers.positive },
  ...commonOptions,
} as const satisfies Options;

export const demo = command({
  name: "demo",
  summary: "Three cameras, a log, a query on each, and the wall in the browser.",
  options: demoOptions,
  needs: {
    native: ["jpeg", "sharp", "ffmpeg", "onnx"],
    hidesEnvironment: true,
    writes: [FOLDER],
    // For the free space of the log's disk.
    sys: ["statfs"],
    v8: SMALL_HEAP,
  },
  check: (args) => [...noArguments(args), ...viewerAccessFaults(guarded(args.options))],
  run,
});

async function run(
  { options }: Arguments<typeof demoOptions>,
  context: CommandContext,
): Promise<number> {
  const access = viewerAccess(guarded(options));
  // Below the current folder, the only place that the demo may write to.
  await Deno.mkdir(FOLDER, { recursive: true });
  const directory = await Deno.makeTempDir({ dir: FOLDER, prefix: "demo-" });
  const logUrl = `embedded:${directory}?retention-bytes=${256 * 1024 * 1024}`;
  const log = await openLog(logUrl);
  const end = new AbortController();
  const { for: seconds } = options;
  const timer = seconds === undefined ? undefined : setTimeout(() => end.abort(), seconds * 1000);
  const signal = AbortSignal.any([context.signal, end.signal]);
  let driver: Driver | undefined;
  let viewer: Viewer | undefined;
  let producer: LogProducer | undefined;
  let cameras: Promise<void>[] = [];
  try {
    await log.createTopic(DEFAULT_TOPIC, CAMERAS.length);
    driver = new Driver({
      log,
      logUrl,
      ...executorPermissions(logUrl),
      queries: CAMERAS.map(({ query }, partition) => ({
        ...findQuery(query),
        topic: DEFAULT_TOPIC,
        group: `framelane-${query}`,
        sinks: [],
        partitions: [partition],
        source: { startingOffsets: "earliest" as const },
      })),
      report: (line) => context.say(line, "warn"),
    });
    viewer = await startViewer({
      feed: driver.feed,
      metrics: async () => driver!.metrics.text(await log.storage?.()),
      log,
      topics: [DEFAULT_TOPIC],
      port: options.port,
      ...access,
    });
    // A token created by this run is shown, since the user cannot know it otherwise.
    context.print(
      `Open ${viewer.url}${access.token === undefined ? "" : `?token=${access.token}`}`,
      options.token === undefined ? "shown" : undefined,
    );
    producer = await log.producer();
    cameras = CAMERAS.map((camera, index) =>
      startCamera(camera, index + 1, log, producer!, signal, context)
    );
    await driver.start();
    CAMERAS.forEach(({ query, about }, partition) =>
      context.print(
        `CAMERA-${partition + 1}  ${query} on ${about}: ${viewer!.url}cam/${partition + 1}`,
      )
    );
    context.print("Ctrl-C ends the demo");
    await aborted(signal);
    return driver.streams.all.every(({ state }) => state !== "failed") ? 0 : 1;
  } finally {
    clearTimeout(timer);
    end.abort(new Error("The demo ends"));
    await Promise.allSettled(cameras);
    await driver?.stop("drain");
    for (const { query, partition, totals: { frames, outputs } } of driver?.streams.all ?? []) {
      const more = outputs > frames ? " (including the ends of alerts)" : "";
      context.print(
        `CAMERA-${partition + 1}  ${query}: ${frames} frames, ${outputs} outputs${more}`,
      );
    }
    await viewer?.stop();
    await producer?.close();
    await log.close();
    await Deno.remove(directory, { recursive: true });
  }
}

/** Adds a token if others could reach the viewer. */
function guarded(options: Values<typeof viewerAccessOptions>): typeof options {
  const { host, token, "proxy-host": proxies } = options;
  const open = !isLoopback(host) && token === undefined && proxies === undefined;
  return open ? { ...options, token: crypto.randomUUID().replaceAll("-", "") } : options;
}

async function startCamera(
  camera: DemoCamera,
  number: number,
  log: TopicLog,
  producer: LogProducer,
  signal: AbortSignal,
  context: CommandContext,
): Promise<void> {
  const report = (message: string) => context.say(`CAMERA-${number}: ${message}`, "warn");
  try {
    const source = await makeSource(camera.source, { loop: true });
    const host = { log, producer, topic: DEFAULT_TOPIC, clock: systemClock };
    await launchCamera({ ...host, overflow: "drop-oldest" }, { number, source, signal, report })
      .ended;
  } catch (error) {
    if (!signal.aborted) report((error as Error).message);
  }
}
