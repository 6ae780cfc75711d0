// Resets checkpoints: a query's next batch then begins elsewhere.
import { type CheckpointInfo, LogError, type TopicLog } from "../runtime/log/log.ts";
import type { CommandContext } from "./command.ts";

type ResetTarget = "earliest" | "latest" | { readonly offset: number } | {
  /** Epoch milliseconds. */
  readonly time: number;
};

export function parseResetTarget(text: string): ResetTarget {
  if (text === "earliest" || text === "latest") return text;
  if (/^\d+$/.test(text) && Number.isSafeInteger(Number(text))) return { offset: Number(text) };
  const time = /^\d{4}-\d{2}-\d{2}/.test(text) ? Date.parse(text) : NaN;
  if (Number.isNaN(time)) {
    throw new Error("expected earliest, latest, an offset, or a time such as 2026-01-31T12:00:00Z");
  }
  return { time };
}

/** What to say where no checkpoint matches. */
export async function noneFound(log: TopicLog): Promise<string> {
  const queries = new Set((await log.checkpoints()).map(({ query }) => query));
  return queries.size === 0
    ? `no checkpoint in ${log.url}`
    : `no such checkpoint in ${log.url}: it has those of ${[...queries].join(", ")}`;
}

/** Resets the checkpoints; returns the exit code. */
export async function resetAll(
  log: TopicLog,
  infos: readonly CheckpointInfo[],
  target: ResetTarget,
  json: boolean,
  { print, say }: CommandContext,
): Promise<number> {
  if (infos.length === 0) {
    say(`Cannot reset: ${await noneFound(log)}`);
    return 1;
  }
  let code = 0;
  for (const info of infos) {
    const { group, query, topic, partition } = info;
    try {
      const offset = await offsetOf(log, info, target);
      const before = await reset(log, info, offset);
      if (json) {
        const from = before === undefined ? {} : { from: before };
        print(
          JSON.stringify({ type: "reset", group, query, topic, partition, ...from, to: offset }),
        );
      } else {
        print(`${query} on ${topic}/${partition}: from ${before ?? "its start"} to ${offset}`);
      }
    } catch (error) {
      if (!(error instanceof LogError)) throw error;
      say(error.message);
      code = 1;
    }
  }
  return code;
}

async function offsetOf(
  log: TopicLog,
  { topic, partition }: CheckpointInfo,
  target: ResetTarget,
): Promise<number> {
  const range = await log.offsets(topic, partition);
  if (target === "earliest" || target === "latest") return range[target];
  if ("time" in target) return await log.offsetForTime(topic, partition, target.time);
  const { offset } = target;
  if (offset >= range.earliest && offset <= range.latest) return offset;
  throw new LogError(
    "OFFSET_OUT_OF_RANGE",
    `Cannot reset ${topic}/${partition} to offset ${offset}: expected ${range.earliest} to ${range.latest}`,
    { range },
  );
}

/**
 * Commits an empty batch that ends at the offset, without state, so that windows begin there.
 *
 * @returns the query's previous position
 * @throws {LogError} `OWNED` while a runtime owns the checkpoint
 */
async function reset(
  log: TopicLog,
  { group, query, topic, partition }: CheckpointInfo,
  offset: number,
): Promise<number | undefined> {
  const shared = group.endsWith(`/${query}`) ? group.slice(0, -query.length - 1) : group;
  const committer = await log.committer({ group: shared, query, topic, partition, unowned: true });
  try {
    await committer.recreated?.();
    const before = committer.committed?.end;
    // A batch that was planned is of the topic that was: then the next one counts for the topic that is there.
    do {
      const { committed, planned } = committer;
      const batch = planned ??
        { batchId: (committed?.batchId ?? -1) + 1, start: offset, end: offset };
      if (planned === undefined) await committer.plan(batch);
      await committer.commit(batch, { end: offset, restart: offset }, []);
    } while (await committer.recreated?.());
    return before;
  } finally {
    await committer.close();
  }
}
