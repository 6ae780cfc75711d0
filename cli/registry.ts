// The commands by name. Each is loaded only when it is called, so that starting a camera does not
// load the viewer.
import type { Command } from "./command.ts";

/** What the help says of a command, and how to load it. */
export interface CommandEntry {
  readonly summary: string;
  readonly load: () => Promise<Command>;
}

/** All commands; the order is that of the help text. */
export const commands: Readonly<Record<string, CommandEntry>> = {
  demo: {
    summary: "Three cameras, a log, a query on each, and the wall in the browser.",
    load: async () => (await import("./commands/demo.ts")).demo,
  },
  camera: {
    summary: "Publishes one camera: a video file, a stream, a folder, a pattern.",
    load: async () => (await import("./commands/camera.ts")).camera,
  },
  cameras: {
    summary: "Keeps a registry of cameras, and runs all of them in one process.",
    load: async () => (await import("./commands/cameras.ts")).cameras,
  },
  queries: {
    summary: "Runs queries, one ordered streaming query for each partition.",
    load: async () => (await import("./commands/queries.ts")).queries,
  },
  up: {
    summary: "Runs cameras, queries and viewer from one file; edits take effect while it runs.",
    load: async () => (await import("./commands/up.ts")).up,
  },
  viewer: {
    summary: "Shows the partitions of topics in a browser, read from the log alone.",
    load: async () => (await import("./commands/viewer.ts")).viewer,
  },
  checkpoints: {
    summary: "Shows how far each query is on each partition and who owns it, and moves it.",
    load: async () => (await import("./commands/checkpoints.ts")).checkpoints,
  },
  log: {
    summary: "Maintains an embedded log: retention, checks, backups, old formats.",
    load: async () => (await import("./commands/log.ts")).log,
  },
  kafka: {
    summary: "Runs a real Apache Kafka on this machine, until Ctrl-C.",
    load: async () => (await import("./commands/kafka.ts")).kafka,
  },
  models: {
    summary: "Inspects a model and writes its first manifest; checks a manifest; lists presets.",
    load: async () => (await import("./commands/models.ts")).models,
  },
  evaluate: {
    summary:
      "Runs a model over labelled clips: accuracy, ROC AUC, alert delay, false alerts an hour.",
    load: async () => (await import("./commands/evaluate.ts")).evaluate,
  },
};
