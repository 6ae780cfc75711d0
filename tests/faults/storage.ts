// Storage that cannot be written: a query stops and says what and where, and when it may write again
// every frame is there once.
import assert from "node:assert/strict";
import type { TopicLog } from "../../runtime/log/log.ts";
import { judge, type Marked, markedRecords, markOf, type Verdict } from "../support/checker.ts";
import { framelane } from "../support/framelane.ts";
import { readAll } from "../support/log.ts";

/** Frames of the trial. */
export const FRAMES = 60;

/** The query's command, with outputs of each kind below a folder. */
export function command(url: string, folder: string): string[] {
  return [
    ...["queries", "passthrough", "--log", url, "--starting-offsets", "earliest"],
    ...["--trigger", "available-now", "--executors", "1", "--json", "--sink", "topic:OUT"],
    ...["--max-frames-per-trigger", "7", "--sink", `images:${folder}/images`],
    ...["--sink", `events:${folder}/events.jsonl`],
  ];
}

/** Publishes the frames. */
export async function publish(log: TopicLog, count = FRAMES, from = 0): Promise<Marked[]> {
  await log.createTopic("VideoStreaming", 1);
  const producer = await log.producer();
  const records = markedRecords(1, count, { from });
  await producer.append("VideoStreaming", 0, records);
  await producer.close();
  return records.map(markOf);
}

/** Runs the query to its end, where nothing is in its way, and says what became of the frames. */
export async function heal(
  url: string,
  log: TopicLog,
  folder: string,
  published: readonly Marked[],
): Promise<Verdict> {
  const { code, process } = await framelane(command(url, folder));
  assert.equal(code, 0, process.output());
  const out = (await readAll(log, "OUT", 0)).map(markOf);
  const images = [...Deno.readDirSync(`${folder}/images`)].flatMap(({ name, isDirectory }) =>
    isDirectory && !name.startsWith(".")
      ? [...Deno.readDirSync(`${folder}/images/${name}`)].map((file) => file.name)
      : [name]
  ).filter((name) => name.endsWith(".jpg"));
  assert.equal(images.length, published.length, images.join(" "));
  const lines = (await Deno.readTextFile(`${folder}/events.jsonl`)).trim().split("\n");
  assert.equal(lines.length, published.length);
  return judge(published, out);
}
