// `deno task checkpoints list|inspect|reset`: shows the positions of a log's streaming queries, and resets
// them while no runtime owns them.
import { given } from "../../runtime/base/options.ts";
import {
  type CheckpointInfo,
  LogError,
  type OffsetRange,
  type TopicLog,
} from "../../runtime/log/log.ts";
import { framesBetween } from "../../runtime/log/last_frames.ts";
import { noneFound, parseResetTarget, resetAll } from "../checkpoint_reset.ts";
import { command, type Options, parsers } from "../command.ts";
import { logIsThere, logOption, openLogOrUsageError } from "../log_options.ts";

const checkpointOptions = {
  log: { ...logOption.log, opens: "existing-log" },
  group: {
    value: "G",
    help: "Only checkpoints of this group, and of the queries that share it (default: all)",
  },
  topic: {
    value: "T",
    help: "Only checkpoints on this topic (default: all)",
    parse: parsers.topic,
  },
  query: { value: "Q", help: "Only checkpoints of this query (default: all)" },
  checkpoint: {
    value: "DIR",
    help:
      "Only checkpoints found by this folder's identity (default: all on Kafka, else the log's own)",
    opens: "folder",
  },
  partitions: {
    value: "all|0,2",
    help: "Only checkpoints of these partitions",
    default: "all",
    parse: parsers.partitions,
  },
  to: {
    value: "WHERE",
    actions: ["reset"],
    help: "Earliest, latest, an offset, or a capture time in ISO 8601",
    parse: parseResetTarget,
  },
  json: { switch: true, help: "Print one JSON object per line" },
} as const satisfies Options;

export const checkpoints = command({
  positionals: "list | inspect | reset",
  options: checkpointOptions,
  check({ positionals: [action] }, given) {
    if (action !== "reset") return [];
    return ["query", "to"].filter((needed) => !given.has(needed))
      .map((needed) => `Cannot reset without --${needed}`);
  },
  async run({ positionals: [action], options }, context) {
    const { group, topic, query, partitions, to, json = false } = options;
    if (!await logIsThere(options.log, context)) return 1;
    const log = await openLogOrUsageError(options.log, context, options.checkpoint);
    try {
      const infos = await log.checkpoints(given({ group, topic, query }));
      const chosen = infos.filter(({ partition }) =>
        partitions === "all" || partitions.includes(partition)
      );
      if (action === "reset") return await resetAll(log, chosen, to!, json, context);
      const rows = await Promise.all(chosen.map((info) => withLag(log, info)));
      if (json) {
        for (const row of rows) {
          const shown = action === "list" ? short(row) : { type: "checkpoint", ...row };
          context.print(JSON.stringify(shown));
        }
      } else if (rows.length === 0) {
        context.say(`Nothing to show: ${await noneFound(log)}`);
      } else {
        for (const line of table(rows, action === "list" ? LIST : Object.keys(COLUMNS))) {
          context.print(line);
        }
        for (const { fault } of rows) if (fault !== undefined) context.say(fault, "error");
        const unknown = action === "list"
          ? []
          : rows.flatMap(({ ownerUnknown = [] }) => ownerUnknown);
        for (const reason of new Set(unknown)) context.say(`Owners are unknown: ${reason}`);
      }
      return rows.some(({ fault }) => fault !== undefined) ? 1 : 0;
    } finally {
      await log.close();
    }
  },
});

interface Row extends CheckpointInfo {
  /** Offsets of the partition; absent if the topic does not exist. */
  readonly offsets?: OffsetRange;
  readonly lag?: number;
}

function short({ group, query, topic, partition, committed, lag, fault }: Row) {
  const known = given({ end: committed?.end, lag, fault });
  return { type: "checkpoint", group, query, topic, partition, ...known };
}

async function withLag(log: TopicLog, info: CheckpointInfo): Promise<Row> {
  try {
    const offsets = await log.offsets(info.topic, info.partition);
    if (info.committed === undefined) return { ...info, offsets };
    const behind = { from: Math.max(info.committed.end, offsets.earliest), to: offsets.latest };
    const lag = await framesBetween(log, info.topic, info.partition, behind);
    return { ...info, offsets, lag };
  } catch (error) {
    const gone = error instanceof LogError &&
      (error.code === "TOPIC_MISSING" || error.code === "PARTITION_MISSING");
    if (!gone) throw error;
    return info;
  }
}

const COLUMNS: Readonly<Record<string, (row: Row) => string>> = {
  query: ({ query }) => query,
  topic: ({ topic }) => topic,
  partition: ({ partition }) => String(partition),
  group: ({ group }) => group,
  "query id": ({ queryId }) => queryId ?? "?",
  batch: ({ fault, committed }) =>
    fault === undefined ? String(committed?.batchId ?? "none") : "damaged",
  end: ({ committed }) => String(committed?.end ?? "–"),
  restart: ({ committed }) => String(committed?.restart ?? "–"),
  state: ({ committed }) => committed?.stateBytes ? `${committed.stateBytes} bytes` : "–",
  planned: ({ planned }) =>
    planned === undefined ? "–" : `${planned.batchId}: ${planned.start} to ${planned.end}`,
  owner: ({ owner, ownerUnknown }) =>
    owner === undefined
      ? ownerUnknown === undefined ? "–" : "unknown"
      : ["epoch", owner.epoch, owner.member].join(" ").trimEnd(),
  "written by": ({ committed }) =>
    committed?.writer === undefined
      ? "–"
      : `Framelane ${committed.writer.version}: ${committed.writer.steps.join(" → ")}`,
  latest: ({ offsets }) => offsets === undefined ? "no such topic" : String(offsets.latest),
  lag: ({ lag }) => String(lag ?? "–"),
};
const LIST = ["query", "topic", "partition", "group", "end", "lag"];

function table(rows: readonly Row[], titles: readonly string[]): string[] {
  const cells = [titles, ...rows.map((row) => titles.map((title) => COLUMNS[title]!(row)))];
  const widths = titles.map((_, column) => Math.max(...cells.map((row) => row[column]!.length)));
  return cells.map((row) =>
    row.map((cell, column) => cell.padEnd(widths[column]!)).join("  ").trimEnd()
  );
}
