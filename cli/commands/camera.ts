// `deno task camera N`: one camera, publishing to its partition.
import { launchCamera } from "../../cameras/launch.ts";
import { CameraMetrics } from "../../cameras/metrics.ts";
import { acceptedSources } from "../../cameras/open.ts";
import { openState } from "../../cameras/registry.ts";
import { type CameraSettings, settingsFromFlags } from "../../cameras/settings.ts";
import { SourceError } from "../../cameras/source.ts";
import { systemClock } from "../../runtime/base/clock.ts";
import { LogError, type TopicLog } from "../../runtime/log/log.ts";
import {
  type CameraOptionValues,
  hostSettings,
  makeSourceOrUsageError,
  metricsOptions,
  numberFaults,
  parseSource,
  producerOptions,
  settingOptions,
  targetOptions,
  togetherFaults,
} from "../camera_options.ts";
import { cameraTitle, Meter, summaryLine, summaryText } from "../camera_text.ts";
import { type Command, type CommandContext, type LogLevel, parsers } from "../command.ts";
import { commonOptions } from "../common_options.ts";
import { openLogOrUsageError } from "../open_log.ts";
import { ProgressBar } from "../progress_bar.ts";

const PROGRESS_EVERY_MS = 1_000;

interface Values extends CameraOptionValues {
  readonly source: string;
  readonly limit?: number;
  readonly json?: boolean;
}

export const camera: Command = {
  name: "camera",
  summary: "Publishes one camera: CAMERA-N goes to partition N-1.",
  positionals: "N",
  options: {
    source: {
      value: "URI",
      help: acceptedSources(),
      default: "pattern:",
      parse: parseSource,
      opens: "source",
    },
    ...targetOptions,
    ...settingOptions,
    limit: { value: "FRAMES", help: "Stop after this many frames", parse: parsers.integer(1) },
    ...producerOptions,
    ...metricsOptions,
    json: { switch: true, help: "One JSON object a line on standard output, the summary last" },
    ...commonOptions,
  },
  needs: { native: ["jpeg", "sharp", "ffmpeg"], hidesEnvironment: true },
  check({ positionals, options }) {
    return [
      ...numberFaults(positionals),
      ...togetherFaults((options as unknown as Partial<Values>).source, options),
    ];
  },
  async run({ positionals, options }, context) {
    const values = options as unknown as Values;
    const log = await openLogOrUsageError(values.log);
    try {
      const settings = settingsFromFlags(options);
      return await publish(Number(positionals[0]), log, values, settings, context);
    } finally {
      await log.close();
    }
  },
};

async function publish(
  number: number,
  log: TopicLog,
  values: Values,
  settings: CameraSettings,
  { signal, print, say }: CommandContext,
): Promise<number> {
  const { topic, limit, json = false } = values;
  const clock = systemClock;
  const source = await makeSourceOrUsageError(values.source, settings, signal);
  const bar = new ProgressBar({ title: cameraTitle(number, settings) });
  const report = (message: string, level: LogLevel = "warn") => {
    bar.clear();
    say(`${cameraTitle(number, settings)}: ${message}`, level);
  };
  using kv = source.kind === "collection" ? await openState(values.state) : undefined;
  report(`${source.description} to partition ${number - 1} of ${topic}, ${log.url}`, "info");
  const meter = new Meter(clock.monotonic());
  const over = new AbortController();
  const launched = launchCamera({
    ...hostSettings(values),
    log,
    producer: await log.producer({ acks: values.acks, compression: values.compression }),
    clock,
    ...(kv === undefined ? {} : { kv }),
  }, {
    number,
    source,
    signal,
    report,
    settings,
    ...(limit === undefined ? {} : { limit }),
    onFrame() {
      if (json) return;
      const expected = Math.min(limit ?? Infinity, source.expectedImages?.() ?? Infinity);
      const total = expected === Infinity ? undefined : expected;
      const { stats } = launched;
      bar.update(stats.published, total, meter.note(stats, clock.monotonic()));
    },
  });
  if (values["metrics-port"] !== undefined) {
    const metrics = new CameraMetrics(
      topic,
      () => [{ number, name: settings.name, stats: launched.stats }],
    );
    const { addr } = metrics.serve(values["metrics-port"], over.signal);
    say(`Metrics at http://127.0.0.1:${addr.port}/metrics`);
  }
  const tick = setInterval(() => {
    const progress = meter.progress(number, settings, launched.stats, clock.monotonic());
    if (json) print(JSON.stringify({ type: "progress", progress }));
  }, PROGRESS_EVERY_MS);
  let failed = false;
  try {
    await launched.ended;
  } catch (error) {
    if (!(error instanceof SourceError) && !(error instanceof LogError)) throw error;
    report(error.message, "error");
    failed = true;
  } finally {
    clearInterval(tick);
    over.abort();
  }
  bar.clear();
  const { stats } = launched;
  const seconds = meter.seconds(clock.monotonic());
  print((json ? summaryLine : summaryText)(number, settings, stats, seconds));
  return failed || stats.droppedBy.stopped > 0 ? 1 : 0;
}
