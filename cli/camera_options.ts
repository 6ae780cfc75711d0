// Options that all commands with cameras share.
import { checkSource, makeSource } from "../cameras/open.ts";
import { DEFAULT_BATCH_BYTES, DEFAULT_BUFFER_FRAMES, type Overflow } from "../cameras/publisher.ts";
import { type CameraSettings, SETTINGS, settingsFromFlags } from "../cameras/settings.ts";
import { type CameraSource, SourceError } from "../cameras/source.ts";
import type { Compression } from "../runtime/log/log.ts";
import { type Options, parsers, UsageError } from "./command.ts";
import { DEFAULT_LOG, DEFAULT_TOPIC } from "./defaults.ts";

export const settingOptions: Options = Object.fromEntries(
  Object.values(SETTINGS).map((row) => [row.flag, {
    help: row.help,
    ...(row.value === undefined ? { switch: true } : { value: row.value }),
    ...(row.parse === undefined ? {} : { parse: row.parse }),
    ...(row.opens === undefined ? {} : { opens: row.opens }),
  }]),
);

export const targetOptions = {
  log: {
    value: "URI",
    help: "embedded:DIR or kafka://host:port[,host:port]",
    default: DEFAULT_LOG,
    parse: parseLog,
    opens: "log",
  },
  topic: { value: "T", help: "Topic to publish to", default: DEFAULT_TOPIC, parse: parseTopic },
  state: {
    value: "FILE",
    help: "Where the registry, and what was published of folders, is kept",
    default: ".framelane/cameras.kv",
    opens: "database",
  },
} as const satisfies Options;

export const producerOptions = {
  "linger-ms": {
    value: "MS",
    help: "How long a batch may wait for more frames (default: 0, with --fps max 10)",
    parse: parsers.integer(0, 60_000),
  },
  "batch-bytes": {
    value: "BYTES",
    help: "Largest batch",
    default: DEFAULT_BATCH_BYTES,
    parse: parsers.integer(1, 1 << 30),
  },
  compression: {
    value: "NAME",
    help: "Of batches: none, gzip, snappy, lz4, zstd",
    default: "none",
    parse: parsers.oneOf("none", "gzip", "snappy", "lz4", "zstd"),
  },
  acks: {
    value: "WHO",
    help:
      "Who must hold a frame before it counts as published: all (retries never double a frame), leader, none",
    default: "all",
    parse: parsers.oneOf("all", "leader", "none"),
  },
  buffer: {
    value: "FRAMES",
    help: "Frames that may wait for a log that is slow or away",
    default: DEFAULT_BUFFER_FRAMES,
    parse: parsers.integer(1, 100_000),
  },
  overflow: {
    value: "POLICY",
    help:
      "When the buffer is full: wait, drop-oldest, drop-newest (default: drop-oldest for live sources, else wait)",
    parse: parsers.oneOf("wait", "drop-oldest", "drop-newest"),
  },
} as const satisfies Options;

export const metricsOptions = {
  "metrics-port": {
    value: "PORT",
    help: "Serve Prometheus metrics on 127.0.0.1, at /metrics",
    parse: parsers.integer(0, 65_535),
    opens: "metrics",
  },
} as const satisfies Options;

export interface CameraOptionValues {
  readonly log: string;
  readonly topic: string;
  readonly state: string;
  readonly "linger-ms"?: number;
  readonly "batch-bytes": number;
  readonly compression: Compression;
  readonly acks: "all" | "leader" | "none";
  readonly buffer: number;
  readonly overflow?: Overflow;
  readonly "metrics-port"?: number;
}

export function hostSettings(values: CameraOptionValues) {
  const { buffer, overflow, "linger-ms": linger } = values;
  return {
    topic: values.topic,
    bufferFrames: buffer,
    ...(overflow === undefined ? {} : { overflow }),
    ...(linger === undefined ? {} : { lingerMs: linger }),
    batchBytes: values["batch-bytes"],
  };
}

/** The text, if a source could be made of it. */
export function parseSource(text: string): string {
  try {
    checkSource(text);
  } catch (error) {
    // The message names the source; the caller does so too.
    throw new Error((error as Error).message.replace(/^.*?: (?=expected|unknown|it )/, ""));
  }
  return text;
}

/** What keeps a source from being used with its settings, where it is a source at all. */
export function togetherFaults(
  text: string | undefined,
  options: Readonly<Record<string, unknown>>,
): string[] {
  if (text === undefined) return [];
  try {
    checkSource(text, settingsFromFlags(options));
    return [];
  } catch (error) {
    return [(error as Error).message];
  }
}

/** @throws {UsageError} saying what is accepted, where only looking at files tells. */
export async function makeSourceOrUsageError(
  text: string,
  settings: CameraSettings,
  signal: AbortSignal,
): Promise<CameraSource> {
  try {
    return await makeSource(text, settings, signal);
  } catch (error) {
    if (error instanceof SourceError && error.code === "INVALID") {
      throw new UsageError([error.message]);
    }
    throw error;
  }
}

/** Faults of the arguments where one camera is expected. */
export function numberFaults(positionals: readonly string[]): string[] {
  if (positionals.length !== 1) {
    return [`Cannot use ${positionals.length} arguments: expected one, the number of the camera`];
  }
  try {
    parseCameraNumber(positionals[0]!);
    return [];
  } catch (error) {
    return [(error as Error).message];
  }
}

function parseCameraNumber(text: string): number {
  const number = Number(text);
  if (!/^\d+$/.test(text) || number < 1 || number > 10_000) {
    throw new Error(
      `Cannot use camera ${JSON.stringify(text)}: expected its number, 1 to 10000`,
    );
  }
  return number;
}

function parseLog(text: string): string {
  if (!/^(?:embedded:.|kafka:\/\/.)/.test(text)) {
    throw new Error("expected embedded:DIR or kafka://host:port[,host:port]");
  }
  return text;
}

function parseTopic(text: string): string {
  if (!/^[a-zA-Z0-9._-]{1,249}$/.test(text) || text === "." || text === "..") {
    throw new Error("expected 1 to 249 letters, digits, dots, underscores or hyphens");
  }
  return text;
}
