// A query on partition 0 that passes its frames on to a topic, and how far that topic has come.
import type { TopicLog } from "../../runtime/log/log.ts";
import { FramelaneProcess } from "../support/framelane.ts";
import { retry } from "../support/retry.ts";
import { PATIENCE_MS, until } from "../support/until.ts";

/** Starts it; its output goes to the topic `NAME-OUT`. */
export function passthrough(
  url: string,
  topic: string,
  name: string,
  more: readonly string[] = [],
): FramelaneProcess {
  return new FramelaneProcess([
    "queries",
    "passthrough",
    "--log",
    url,
    "--topic",
    topic,
    "--group",
    `${name}-passthrough`,
    "--partitions",
    "0",
    "--sink",
    `topic:${name}-OUT`,
    "--starting-offsets",
    "earliest",
    "--port",
    "off",
    "--executors",
    "1",
    "--json",
    ...more,
  ]);
}

/** Waits until a topic ends with a camera's frame of this number or a later one. */
export async function reached(
  log: TopicLog,
  topic: string,
  seq: number,
): Promise<void> {
  await until(
    `frame ${seq} in ${topic}`,
    async () => await retry(() => lastOf(log, topic)) >= seq,
  );
}

async function lastOf(log: TopicLog, topic: string): Promise<number> {
  if (await log.partitionCount(topic) === 0) return -1;
  const { earliest, latest } = await log.offsets(topic, 0);
  const reader = await log.reader();
  try {
    // Markers of transactions take offsets too.
    const source = await reader.open(topic, 0, Math.max(earliest, latest - 4));
    const frames = await source.read(4, AbortSignal.timeout(PATIENCE_MS), latest);
    return Number(frames.at(-1)?.headers["seq"] ?? -1);
  } finally {
    await reader.close();
  }
}
