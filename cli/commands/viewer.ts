// `deno task viewer`: the wall alone, on any machine that can reach the log.
import { MetricSet } from "../../runtime/base/metric_set.ts";
import { VERSION } from "../../runtime/base/version.ts";
import { aborted } from "../../runtime/base/wait.ts";
import { cameraText, cameraTitle, LogFeed, startViewer } from "../../viewer/mod.ts";
import { command, type Options, parsers } from "../command.ts";
import { knownCamerasOption, KnownRegistry } from "../known_cameras.ts";
import { DEFAULT_TOPIC, logOption, openLogOrUsageError, throwIfRefused } from "../log_options.ts";
import {
  portOption,
  viewerAccess,
  viewerAccessFaults,
  viewerAccessOptions,
} from "../viewer_access.ts";

const viewerOptions = {
  ...logOption,
  topic: {
    value: "T,…",
    help: "Topics to show, separated by commas",
    default: [DEFAULT_TOPIC],
    parse: parseTopics,
  },
  ...portOption,
  ...viewerAccessOptions,
  ...knownCamerasOption,
} as const satisfies Options;

export const viewer = command({
  options: viewerOptions,
  needs: { native: ["jpeg", "sharp", "ffmpeg"] },
  check: ({ options }) => viewerAccessFaults(options),
  async run({ options }, { signal, say, print }) {
    const access = viewerAccess(options);
    const topics = options.topic;
    const log = await openLogOrUsageError(options.log, { say });
    const registry = new KnownRegistry(options.cameras);
    const feed = new LogFeed({ log, topics, cameras: registry.read });
    try {
      await Promise.all([throwIfRefused(log), feed.start()]);
      if (feed.problem !== undefined) say(feed.problem, "warn");
      const running = await startViewer({
        feed,
        log,
        topics,
        metrics: metricsOf(feed),
        report: (line) => say(line, "warn"),
        port: options.port,
        ...access,
      });
      try {
        print(running.url);
        for (const lane of feed.lanes()) {
          const { topic, partition } = lane;
          const choice = topics.length === 1 ? "" : `?topic=${topic}`;
          say(
            `${cameraText(lane)}  ${topic} / ${partition}  ${running.url}cam/${
              partition + 1
            }${choice}`,
          );
        }
        if (feed.lanes().length === 0) say(`No camera in ${log.url} yet: waiting for one`);
        say("Stop with Ctrl-C");
        await aborted(signal);
      } finally {
        await running.stop();
      }
      return 0;
    } finally {
      await feed.close();
      await registry.close();
      await log.close();
    }
  },
});

/** The metrics of a viewer without queries. */
function metricsOf(feed: LogFeed): () => Promise<string> {
  const set = new MetricSet(["topic", "partition", "camera"]);
  set.gauge("build_info", "Version that runs", ["version"]).set({ version: VERSION }, 1);
  const newest = set.gauge(
    "camera_last_frame_timestamp_seconds",
    "Capture time of the newest frame seen",
  );
  return async () => {
    newest.reset();
    for (const lane of feed.lanes()) {
      const { topic, partition, lastFrameTimestamp: last } = lane;
      const camera = cameraTitle(lane).title;
      if (last !== undefined) newest.set({ topic, partition, camera }, last / 1_000);
    }
    return await set.registry.metrics();
  };
}

function parseTopics(text: string): string[] {
  return [...new Set(text.split(",").map((topic) => parsers.topic(topic.trim())))];
}
