// `deno task camera N`: publishes one camera.
import { acceptedSources, makeSource, settingRemarks } from "../../cameras/open.ts";
import { openState } from "../../cameras/registry.ts";
import { settingsFromFlags } from "../../cameras/settings.ts";
import { SourceError } from "../../cameras/source.ts";
import { LogError, type TopicLog } from "../../runtime/log/log.ts";
import {
  cameraHost,
  numberFaults,
  parseSource,
  publishFaults,
  publishOptions,
  serveMetrics,
  settingOptions,
  stateOption,
  togetherFaults,
} from "../camera_options.ts";
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
import { cameraTitle, RunningCamera } from "../running_camera.ts";

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
  check: ({ positionals: [number], options }, _, flags) => [
    ...numberFaults(number),
    ...publishFaults(options, flags),
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
  const source = await orUsageError(makeSource(values.source, settings, signal));
  const title = cameraTitle(number, settings);
  const bar = new ProgressBar({ title });
  const report = (message: string, level: LogLevel = "warn") => {
    bar.clear();
    say(`${title}: ${message}`, level);
  };
  using kv = source.kind === "collection" ? await openState(values.state) : undefined;
  report(`${source.description} to partition ${number - 1} of ${topic}, ${log.url}`, "info");
  for (const remark of settingRemarks(values.source, settings)) report(remark);
  const over = new AbortController();
  const running = new RunningCamera({ ...host, kv }, {
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
      bar.update(running.camera.stats.published, total, running.note());
    },
  });
  serveMetrics(values, () => [running.measured], over.signal, say);
  const tick = setInterval(() => {
    if (json) print(running.progress());
  }, PROGRESS_EVERY_MS);
  let failed = false;
  try {
    await running.camera.ended;
  } catch (error) {
    if (!(error instanceof SourceError) && !(error instanceof LogError)) throw error;
    report(error.message, "error");
    failed = true;
  } finally {
    clearInterval(tick);
    over.abort();
  }
  bar.clear();
  print(running.summary(json));
  return failed || running.camera.stats.droppedBy.stopped > 0 ? 1 : 0;
}
