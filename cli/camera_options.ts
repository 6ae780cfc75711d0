// Options shared by all camera commands.
import { messageOf } from "../runtime/base/errors.ts";
import { listenError } from "../runtime/base/host.ts";
import { given, shown } from "../runtime/base/options.ts";
import type { CameraHost } from "../cameras/camera.ts";
import { CameraMetrics, type MeasuredCamera } from "../cameras/metrics.ts";
import { checkSource } from "../cameras/open.ts";
import { DEFAULT_BATCH_BYTES, DEFAULT_BUFFER_FRAMES } from "../cameras/publisher.ts";
import { SETTINGS, settingsFromFlags } from "../cameras/settings.ts";
import { systemClock } from "../runtime/base/clock.ts";
import type { TopicLog } from "../runtime/log/log.ts";
import { type Option, type Options, parsers, type Values } from "./command.ts";
import { DEFAULT_TOPIC, logOption } from "./log_options.ts";

/** An option for each camera setting; `settingsFromFlags` reads them. */
export const settingOptions: Readonly<Record<never, Option>> = Object.fromEntries(
  Object.values(SETTINGS).map(({ flag, help, value, parse, opens }) => [flag, {
    help,
    ...(value === undefined ? { switch: true } : { value }),
    ...given({ parse, opens }),
  }]),
);

export const stateOption = {
  state: {
    value: "FILE",
    help: "File of the camera registry, and of what was already published from folders",
    default: ".framelane/cameras.kv",
    opens: "database",
  },
} as const satisfies Options;

export const publishOptions = {
  ...logOption,
  topic: { value: "T", help: "Topic to publish to", default: DEFAULT_TOPIC, parse: parsers.topic },
  "linger-ms": {
    value: "MS",
    help: "Longest wait for more frames in a batch, ms (default: 0; 10 with --fps max)",
    parse: parsers.integer(0, 60_000),
  },
  "batch-bytes": {
    value: "BYTES",
    help: "Largest batch, bytes",
    default: DEFAULT_BATCH_BYTES,
    parse: parsers.integer(1, 1 << 30),
  },
  compression: {
    value: "NAME",
    help: "Compression of batches: none, gzip, snappy, lz4, zstd",
    default: "none",
    parse: parsers.oneOf("none", "gzip", "snappy", "lz4", "zstd"),
  },
  acks: {
    value: "WHO",
    help:
      "Replicas that must acknowledge a frame: all (retries never duplicate a frame), leader, none",
    default: "all",
    parse: parsers.oneOf("all", "leader", "none"),
  },
  buffer: {
    value: "FRAMES",
    help: "Frames to buffer while the log is slow or unreachable",
    default: DEFAULT_BUFFER_FRAMES,
    parse: parsers.integer(1, 100_000),
  },
  overflow: {
    value: "POLICY",
    help:
      "When the buffer is full: wait, drop-oldest, drop-newest (default: drop-oldest for live sources, else wait)",
    parse: parsers.oneOf("wait", "drop-oldest", "drop-newest"),
  },
  "metrics-port": {
    value: "PORT",
    help: "Serve Prometheus metrics on 127.0.0.1, at /metrics",
    parse: parsers.integer(0, 65_535),
    opens: "metrics",
  },
} as const satisfies Options;

type PublishValues = Values<typeof publishOptions>;

/** Faults of publishing options that another one leaves without effect. */
export function publishFaults(
  { log, compression }: Pick<PublishValues, "log" | "compression">,
  flags: readonly string[],
): string[] {
  const silenced = flags.includes("compression") && ![undefined, "none"].includes(compression) &&
    log?.startsWith("embedded:");
  return silenced
    ? ["Cannot use --compression with an embedded log, which compresses nothing"]
    : [];
}

/** Resources shared by the cameras of a process. */
export async function cameraHost(log: TopicLog, values: PublishValues): Promise<CameraHost> {
  const { topic, buffer, overflow, acks, compression } = values;
  return {
    log,
    producer: await log.producer({ acks, compression }),
    topic,
    bufferFrames: buffer,
    overflow,
    lingerMs: values["linger-ms"],
    batchBytes: values["batch-bytes"],
    clock: systemClock,
  };
}

export function serveMetrics(
  { "metrics-port": port }: PublishValues,
  cameras: () => readonly MeasuredCamera[],
  signal: AbortSignal,
  say: (line: string) => void,
): void {
  if (port === undefined) return;
  try {
    const { addr } = new CameraMetrics(cameras).serve(port, signal);
    say(`Metrics at http://127.0.0.1:${addr.port}/metrics`);
  } catch (error) {
    throw listenError(error, `127.0.0.1:${port}`);
  }
}

/** The text, if it is a valid source. */
export function parseSource(text: string): string {
  try {
    checkSource(text);
  } catch (error) {
    // Remove the source from the message, since the caller names it.
    throw new Error(messageOf(error).replace(/^.*?: (?=expected|unknown|it |\w+=|\w+ was )/, ""));
  }
  return text;
}

export function togetherFaults(
  text: string | undefined,
  options: Readonly<Record<string, unknown>>,
): string[] {
  const { tlsCa, tlsInsecure, ...settings } = settingsFromFlags(options);
  const faults = tlsCa !== undefined && tlsInsecure
    ? ["Cannot use --tls-ca with --tls-insecure, which accepts any certificate"]
    : [];
  try {
    if (text !== undefined) checkSource(text, settings);
  } catch (error) {
    faults.push(messageOf(error));
  }
  return faults;
}

export function numberFaults(text: string | undefined): string[] {
  return text === undefined || /^0*[1-9]\d{0,3}$|^0*10000$/.test(text)
    ? []
    : [`Cannot use camera ${shown(text)}: expected its number, 1 to 10000`];
}
