// `deno task checkpoints list|inspect|reset`: where the streaming queries of a log are, and moving them while nothing
// runs there.
import {
  type CheckpointInfo,
  LogError,
  type OffsetRange,
  type TopicLog,
} from "../../runtime/log/log.ts";
import { parseResetTarget, resetAll, type ResetTarget } from "../checkpoint_reset.ts";
import type { Command, CommandContext } from "../command.ts";
import { DEFAULT_LOG } from "../defaults.ts";
import { commonOptions } from "../common_options.ts";
import { openLogOrUsageError } from "../open_log.ts";
import { parsePartitions } from "../partitions.ts";

export const checkpoints: Command = {
  name: "checkpoints",
  positionals: "list | inspect | reset",
  summary:
    "Shows how far each query is on each partition (list), with all that is kept (inspect), or moves it while no runtime owns it (reset).",
  options: {
    log: {
      value: "URI",
      help: "embedded:DIR or kafka://host:port",
      default: DEFAULT_LOG,
      opens: "log",
    },
    group: {
      value: "G",
      help: "Only those of this group, and of the queries that share it (default: all)",
    },
    topic: { value: "T", help: "Only those on this topic (default: all)" },
    query: { value: "Q", help: "Only those of this query (default: all)" },
    checkpoint: {
      value: "DIR",
      help: "Folder of the checkpoints (embedded log)",
      opens: "folder",
    },
    partitions: {
      value: "all|0,2",
      help: "Only those of these partitions",
      default: "all",
      parse: parsePartitions,
    },
    to: {
      value: "WHERE",
      help: "reset: earliest, latest, an offset, or a capture time in ISO 8601",
      parse: parseResetTarget,
    },
    json: { switch: true, help: "One JSON object a line" },
    ...commonOptions,
  },
  check({ positionals: [action, ...rest], options }) {
    if (!(ACTIONS as readonly (string | undefined)[]).includes(action)) {
      const given = action === undefined ? "nothing" : JSON.stringify(action);
      return [`Cannot do ${given} with checkpoints: expected ${ACTIONS.join(", ")}`];
    }
    const faults = rest.length === 0
      ? []
      : [`Cannot ${action} ${rest.join(" ")}: expected no more`];
    if (action !== "reset") {
      return options["to"] === undefined ? faults : [...faults, `Cannot ${action} with --to`];
    }
    for (const needed of ["query", "to"]) {
      if (options[needed] === undefined) faults.push(`Cannot reset without --${needed}`);
    }
    return faults;
  },
  run,
};

const ACTIONS = ["list", "inspect", "reset"] as const;

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
  const text = (name: string) => options[name] as string | undefined;
  const [group, topic, query, checkpointDir] = ["group", "topic", "query", "checkpoint"].map(text);
  const log = await openLogOrUsageError(text("log")!, checkpointDir);
  try {
    const infos = await log.checkpoints({
      ...(group !== undefined ? { group } : {}),
      ...(topic !== undefined ? { topic } : {}),
      ...(query !== undefined ? { query } : {}),
    });
    const wanted = options["partitions"] as "all" | readonly number[];
    const chosen = infos.filter(({ partition }) => wanted === "all" || wanted.includes(partition));
    if (positionals[0] === "reset") {
      const target = options["to"] as ResetTarget;
      return await resetAll(log, chosen, target, options["json"] === true, context);
    }
    const rows = await Promise.all(chosen.map((info) => withLag(log, info)));
    if (options["json"] === true) {
      for (const row of rows) {
        context.print(
          JSON.stringify(positionals[0] === "list" ? short(row) : { type: "checkpoint", ...row }),
        );
      }
    } else if (rows.length === 0) {
      context.say(`No checkpoint in ${log.url}`);
    } else {
      for (const line of table(rows, positionals[0] === "list" ? LIST : TITLES)) {
        context.print(line);
      }
      for (const { fault } of rows) if (fault !== undefined) context.say(fault, "error");
    }
    return rows.some(({ fault }) => fault !== undefined) ? 1 : 0;
  } finally {
    await log.close();
  }
}

function short({ group, query, topic, partition, committed, lag, fault }: Row) {
  return {
    type: "checkpoint",
    ...{ group, query, topic, partition },
    ...(committed === undefined ? {} : { end: committed.end }),
    ...(lag === undefined ? {} : { lag }),
    ...(fault === undefined ? {} : { fault }),
  };
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
  "written by",
  "latest",
  "lag",
];

const LIST = ["query", "topic", "partition", "group", "end", "lag"];

/** Lines of text, columns below each other. */
function table(rows: readonly Row[], titles: readonly string[]): string[] {
  const columns = titles.map((title) => TITLES.indexOf(title));
  const cells = [TITLES, ...rows.map(cellsOf)].map((row) => columns.map((at) => row[at]!));
  const widths = titles.map((_, column) => Math.max(...cells.map((row) => row[column]!.length)));
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
    committed?.writer === undefined
      ? "–"
      : `Framelane ${committed.writer.version}: ${committed.writer.steps.join(" → ")}`,
    offsets === undefined ? "topic is gone" : String(offsets.latest),
    String(lag ?? "–"),
  ];
}
