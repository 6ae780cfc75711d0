// The commands by name, each loaded only when it is called.
import type { Command } from "./command.ts";

/** A command's summary for the overview, and its loader. */
export interface CommandEntry {
  readonly summary: string;
  readonly load: () => Promise<Command>;
}

/** Not a literal in `import()`, since Deno would read the modules of all commands at each start. */
async function load(name: string): Promise<Command> {
  const module: Record<string, Command> = await import(
    new URL(`./commands/${name}.ts`, import.meta.url).href
  );
  return module[name]!;
}

/** Summaries for the overview, in order. */
const SUMMARIES = {
  demo: "Three cameras, a log, a query on each, and the wall in the browser.",
  camera: "Publishes one camera: a video file, a stream, a folder, a pattern.",
  cameras: "Manages a registry of cameras, and runs all of them in one process.",
  queries: "Runs queries, one ordered streaming query per partition.",
  up: "Runs cameras, queries and viewer from one file; edits take effect while it runs.",
  viewer: "Shows the partitions of topics in a browser, read from the log alone.",
  checkpoints: "Shows how far each query is on each partition and who owns it, and moves it.",
  log: "Maintains an embedded log: retention, checks, backups, old formats.",
  kafka: "Runs a real Apache Kafka on this machine, until Ctrl-C.",
  models: "Inspects a model and drafts its manifest; checks a manifest; lists presets.",
  evaluate:
    "Runs a model over labelled clips: accuracy, ROC AUC, alert delay, false alerts per hour.",
};

export const commands: Readonly<Record<string, CommandEntry>> = Object.fromEntries(
  Object.entries(SUMMARIES).map(([name, summary]) => [name, { summary, load: () => load(name) }]),
);
