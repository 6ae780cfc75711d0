// `deno task log retention|check|backup|convert`: maintains an embedded log.
import { exists } from "../../runtime/base/folders.ts";
import { checkPartitions } from "../../runtime/log/embedded/check.ts";
import { EmbeddedLog } from "../../runtime/log/embedded/log.ts";
import { convertLog } from "../../runtime/log/embedded/convert.ts";
import { parseEmbeddedUrl } from "../../runtime/log/embedded/url.ts";
import { LogError } from "../../runtime/log/log.ts";
import { command, type CommandContext, type Options, parsers, type Values } from "../command.ts";
import { DEFAULT_LOG, logIsThere } from "../log_options.ts";
import { counted } from "../output.ts";

const logOptions = {
  log: {
    value: "URI",
    help: "embedded:DIR",
    default: DEFAULT_LOG,
    parse: (text) => (parseEmbeddedUrl(text), text),
    opens: "existing-log",
  },
  bytes: {
    value: "N",
    actions: ["retention"],
    help: "Bytes to keep of each partition of the topic",
    parse: parsers.integer(1),
  },
  ms: {
    value: "N",
    actions: ["retention"],
    help: "Milliseconds to keep frames for",
    parse: parsers.integer(1),
  },
  checkpoint: {
    value: "DIR",
    multiple: true,
    opens: "folder",
    actions: ["convert"],
    help: "A folder of checkpoints that was used with the log",
  },
  json: { switch: true, help: "Print one JSON object per line" },
} as const satisfies Options;
type LogValues = Values<typeof logOptions>;

export const log = command({
  positionals: "retention [TOPIC] | check | backup DIR | convert",
  options: logOptions,
  // The target folder of a backup.
  needs: { positionals: { backup: "folder" } },
  check({ positionals: [action, topic], options: { ms, bytes = ms } }) {
    if (action !== "retention" || bytes === undefined || topic !== undefined) return [];
    return ["Cannot set the retention: expected a topic"];
  },
  async run({ positionals: [action, subject], options: values }, context) {
    const { dir } = parseEmbeddedUrl(values.log);
    if (action === "convert" && await exists(dir)) return await convert(dir, values, context);
    if (!await logIsThere(values.log, context)) return 1;
    const opened = new EmbeddedLog(values.log, { onWarning: context.say });
    try {
      if (action === "retention") return await retention(opened, subject, values, context);
      if (action === "check") return await check(opened, values, context);
      const report = await opened.backup(subject!, context.signal);
      if (values.json) context.print(JSON.stringify({ type: "backup", ...report }));
      else {
        context.say(
          `Copied ${counted(report.segments, "segment")}, ${report.bytes} bytes, to ${subject}` +
            (report.expired === 0 ? "" : `; ${report.expired} expired meanwhile`) +
            (report.unreadable === 0
              ? ""
              : `; ${report.unreadable} bytes could not be read: log check names their frames`),
        );
      }
      return 0;
    } finally {
      await opened.close();
    }
  },
});

async function convert(dir: string, values: LogValues, { say, print }: CommandContext) {
  const { records, checkpoints } = await convertLog(dir, values.checkpoint);
  if (values.json) print(JSON.stringify({ type: "convert", records, checkpoints }));
  else {
    say(
      `Converted ${records} records and ${checkpoints} checkpoints; the old files are in ` +
        `${dir}/version-1, remove them once you have checked the result`,
    );
  }
  return 0;
}

async function retention(
  opened: EmbeddedLog,
  topic: string | undefined,
  { bytes, ms, json }: LogValues,
  { print, say }: CommandContext,
): Promise<number> {
  const change = { ...(bytes === undefined ? {} : { bytes }), ...(ms === undefined ? {} : { ms }) };
  const topics = topic === undefined ? await opened.topics() : [topic];
  if (topics.length === 0 && !json) say("The log has no topic yet");
  for (const name of topics) {
    const kept = await opened.retention(name, change);
    if (json) print(JSON.stringify({ type: "retention", topic: name, ...kept }));
    else print(`${name}: ${kept.bytes} bytes per partition at most, for ${ageText(kept.ms)}`);
  }
  return 0;
}

function ageText(ms: number): string {
  return ms < 60_000 ? `${ms / 1000} s` : `${Number((ms / 3.6e6).toFixed(2))} h`;
}

async function check(
  opened: EmbeddedLog,
  { json }: LogValues,
  { print, say, signal }: CommandContext,
): Promise<number> {
  const damage = await opened.damage();
  if (damage !== undefined) {
    throw new LogError("INTERNAL", `Cannot trust the log's database: ${damage}; restore a backup`);
  }
  let [records, damaged] = [0, 0];
  for await (const found of checkPartitions(opened, signal)) {
    records += found.records;
    damaged += found.damaged;
    if (json) print(JSON.stringify({ type: "partition", ...found }));
    else if (found.damaged > 0) {
      const { topic, partition, offsets } = found;
      const more = found.damaged > offsets.length ? ", …" : "";
      print(
        `${topic}/${partition}: ${found.damaged} of ${found.records} records are damaged, at offsets ${
          offsets.join(", ")
        }${more}`,
      );
    }
  }
  if (json) print(JSON.stringify({ type: "summary", records, damaged }));
  else say(`${counted(records, "record")}, ${damaged === 0 ? "all intact" : `${damaged} damaged`}`);
  return damaged === 0 ? 0 : 1;
}
