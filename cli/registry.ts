// The commands by name, each loaded only when it is called.
import type { Command, CommandRow } from "./command.ts";
import { commonOptions } from "./common_options.ts";

/** A command's summary for the overview, and its loader. */
export interface CommandEntry {
  readonly summary: string;
  readonly load: () => Promise<Command>;
}

/** What each command does, in the order of the overview, which shows the first sentences. */
const SUMMARIES = {
  demo: "Three cameras, a log, a query on each, and the wall in the browser.",
  camera:
    "Publishes one camera: a video file, a stream, a folder, a pattern. CAMERA-N goes to partition N-1.",
  cameras: "Manages a registry of cameras and runs them all; inspects and finds cameras.",
  queries:
    "Runs queries, one ordered streaming query per partition. NAME is a file of queries/ or the path of " +
    "your own .ts file; greyscale by default.",
  up:
    "Runs cameras, queries and viewer from one file; edits take effect while it runs. FILE is framelane.yaml by default.",
  viewer: "Shows the partitions of topics in a browser, read from the log alone.",
  checkpoints:
    "Shows how far each query is on each partition (list), in full detail (inspect), or moves it while no runtime owns it (reset).",
  log:
    "Maintains an embedded log: retention of topics, integrity checks, backups while it is in use, conversion of old formats.",
  kafka: "Runs a real Apache Kafka on this machine, until Ctrl-C.",
  models:
    "Inspects a model and drafts its manifest; checks a manifest and runs it once; lists presets and devices.",
  evaluate:
    "Runs a model over labelled clips: accuracy, ROC AUC, alert delay, false alerts per hour.",
};

export const commands: Readonly<Record<string, CommandEntry>> = Object.fromEntries(
  Object.entries(SUMMARIES).map(([name, summary]) => [name, {
    summary,
    async load() {
      // Not a literal, since Deno would read the modules of all commands at each start.
      const url = new URL(`./commands/${name}.ts`, import.meta.url).href;
      const module: Record<string, CommandRow> = await import(url);
      const row = module[name]!;
      return { name, summary, ...row, options: { ...row.options, ...commonOptions } };
    },
  }]),
);
