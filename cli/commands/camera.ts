// `deno task camera N`: publishes one camera.
import { Camera } from "../../cameras/camera.ts";
import { acceptedSources, makeSource, settingRemarks } from "../../cameras/open.ts";
import { openState } from "../../cameras/registry.ts";
import { settingsFromFlags } from "../../cameras/settings.ts";
import { SourceError } from "../../cameras/source.ts";
import { LogError, type TopicLog } from "../../runtime/log/log.ts";
import {
  cameraHost,
  numberFaults,
  parseSource,
  publishOptions,
  serveMetrics,
  settingOptions,
  stateOption,
  togetherFaults,
} from "../camera_options.ts";
import { cameraTitle, Meter, summaryOf } from "../camera_text.ts";
import {
  command,
  type CommandContext,
  type LogLevel,
  type Options,
  orUsageError,
  parsers,
  type Values,
} from "../command.ts";
import { openLogOrUsageError, RUNTIME_NEEDS } from "../log_options.ts";
import { ProgressBar } from "../progress_bar.ts";

const PROGRESS_EVERY_MS = 1_000;

const cameraOptions = {
  source: {
    value: "URI",
    help: acceptedSources(),
    default: "pattern:",
    parse: parseSource,
    opens: "source",
  },
  ...settingOptions,
  ...publishOptions,
  ...stateOption,
  limit: { value: "FRAMES", help: "Stop after this many frames", parse: parsers.integer(1) },
  json: { switch: true, help: "Print one JSON object per line, the summary last" },
} as const satisfies Options;

export const camera = command({
  positionals: "N",
  options: cameraOptions,
  needs: { native: ["jpeg", "sharp", "ffmpeg"], sys: RUNTIME_NEEDS.sys },
  check: ({ positionals: [number], options }) => [
    ...numberFaults(number),
    ...togetherFaults(options.source, options),
  ],
  async run({ positionals, options }, context) {
    const log = await openLogOrUsageError(options.log, context);
    try {
      return await publish(Number(positionals[0]), log, options, context);
    } finally {
      await log.close();
    }
  },
});

async function publish(
  number: number,
  log: TopicLog,
  values: Values<typeof cameraOptions>,
  { signal, print, say }: CommandContext,
): Promise<number> {
  const { topic, limit, json = false } = values;
  const settings = settingsFromFlags(values);
  const host = await cameraHost(log, values);
  const { clock } = host;
  const source = await orUsageError(makeSource(values.source, settings, signal));
  const bar = new ProgressBar({ title: cameraTitle(number, settings) });
  const report = (message: string, level: LogLevel = "warn") => {
    bar.clear();
    say(`${cameraTitle(number, settings)}: ${message}`, level);
  };
  using kv = source.kind === "collection" ? await openState(values.state) : undefined;
  report(`${source.description} to partition ${number - 1} of ${topic}, ${log.url}`, "info");
  for (const remark of settingRemarks(values.source, settings)) report(remark);
  const meter = new Meter(clock.monotonic());
  const over = new AbortController();
  const launched = new Camera({ ...host, kv }, {
    number,
    source: () => Promise.resolve(source),
    signal,
    report,
    settings,
    limit,
    onFrame() {
      if (json) return;
      const expected = Math.min(limit ?? Infinity, source.expectedImages?.() ?? Infinity);
      const total = expected === Infinity ? undefined : expected;
      const { stats } = launched;
      bar.update(stats.published, total, meter.note(stats, clock.monotonic()));
    },
  });
  const measured =
    () => [{ topic: host.topic, number, name: settings.name, stats: launched.stats }];
  serveMetrics(values, measured, over.signal, say);
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
  print(summaryOf(number, settings, stats, seconds, json));
  return failed || stats.droppedBy.stopped > 0 ? 1 : 0;
}
