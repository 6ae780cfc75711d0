/**
 * `deno task checkpoints inspect`: where the streaming queries of a log are, without taking them over.
 *
 * @module
 */
import {
  type CheckpointInfo,
  LogError,
  type OffsetRange,
  type TopicLog,
} from "../../runtime/log/log.ts";
import { type Command, type CommandContext, UsageError } from "../command.ts";
import { DEFAULT_LOG } from "../defaults.ts";
import { fenceOptions } from "../fence_options.ts";
import { openLogOrUsageError } from "../open_log.ts";

/** The command. */
export const checkpoints: Command = {
  name: "checkpoints",
  positionals: "inspect",
  summary:
    "Lists the checkpoints of a log: how far each query is on each partition, and who owns it. Only looks.",
  options: {
    log: {
      value: "URI",
      help: "embedded:DIR or kafka://host:port",
      default: DEFAULT_LOG,
      opens: "log",
    },
    group: {
      value: "G",
      help: "only those of this group, and of the queries that share it (default: all)",
    },
    topic: { value: "T", help: "only those on this topic (default: all)" },
    query: { value: "Q", help: "only those of this query (default: all)" },
    checkpoint: {
      value: "DIR",
      help: "folder of the checkpoints (embedded log)",
      opens: "folder",
    },
    json: { switch: true, help: "one JSON object a line" },
    ...fenceOptions,
  },
  run,
};

/** What is shown of a checkpoint. */
interface Row extends CheckpointInfo {
  /** What the partition holds; absent when the topic is gone. */
  readonly offsets?: OffsetRange;
  /** Frames that are not done. */
  readonly lag?: number;
}

async function run(
  { positionals, options }: { positionals: string[]; options: Record<string, unknown> },
  context: CommandContext,
): Promise<number> {
  if (positionals.length !== 1 || positionals[0] !== "inspect") {
    const given = positionals.length === 0 ? "nothing" : JSON.stringify(positionals.join(" "));
    throw new UsageError([`Cannot do ${given} with checkpoints: expected inspect`]);
  }
  const text = (name: string) => options[name] as string | undefined;
  const [group, topic, query, checkpointDir] = ["group", "topic", "query", "checkpoint"].map(text);
  const log = await openLogOrUsageError(text("log")!, checkpointDir);
  try {
    const infos = await log.checkpoints({
      ...(group !== undefined ? { group } : {}),
      ...(topic !== undefined ? { topic } : {}),
      ...(query !== undefined ? { query } : {}),
    });
    const rows = await Promise.all(infos.map((info) => withLag(log, info)));
    if (options["json"] === true) {
      for (const row of rows) context.print(JSON.stringify({ type: "checkpoint", ...row }));
    } else if (rows.length === 0) {
      context.say(`No checkpoint in ${log.url}`);
    } else {
      for (const line of table(rows)) context.print(line);
      for (const { fault } of rows) if (fault !== undefined) context.say(fault);
    }
    return rows.some(({ fault }) => fault !== undefined) ? 1 : 0;
  } finally {
    await log.close();
  }
}

async function withLag(log: TopicLog, info: CheckpointInfo): Promise<Row> {
  try {
    const offsets = await log.offsets(info.topic, info.partition);
    const lag = info.committed === undefined
      ? {}
      : { lag: Math.max(0, offsets.latest - info.committed.end) };
    return { ...info, offsets, ...lag };
  } catch (error) {
    const gone = error instanceof LogError &&
      (error.code === "TOPIC_MISSING" || error.code === "PARTITION_MISSING");
    if (!gone) throw error;
    return info;
  }
}

const TITLES = [
  "query",
  "topic",
  "partition",
  "group",
  "query id",
  "batch",
  "end",
  "restart",
  "state",
  "planned",
  "owner",
  "latest",
  "lag",
];

/** Lines of text, columns below each other. */
function table(rows: readonly Row[]): string[] {
  const cells = [TITLES, ...rows.map(cellsOf)];
  const widths = TITLES.map((_, column) => Math.max(...cells.map((row) => row[column]!.length)));
  return cells.map((row) =>
    row.map((cell, column) => cell.padEnd(widths[column]!)).join("  ").trimEnd()
  );
}

function cellsOf(row: Row): string[] {
  const { committed, planned, owner, offsets, lag, fault } = row;
  return [
    row.query,
    row.topic,
    String(row.partition),
    row.group,
    row.queryId ?? "?",
    fault !== undefined ? "damaged" : String(committed?.batchId ?? "none"),
    String(committed?.end ?? "–"),
    String(committed?.restart ?? "–"),
    committed === undefined || committed.stateBytes === 0 ? "–" : `${committed.stateBytes} bytes`,
    planned === undefined ? "–" : `${planned.batchId}: ${planned.start} to ${planned.end}`,
    owner === undefined
      ? "–"
      : `epoch ${owner.epoch}${owner.member === undefined ? "" : ` ${owner.member}`}`,
    offsets === undefined ? "topic is gone" : String(offsets.latest),
    String(lag ?? "–"),
  ];
}
